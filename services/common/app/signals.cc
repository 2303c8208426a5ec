#include "services/common/app/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace postern::app {
namespace {

sigset_t WatchedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  return signals;
}

void ExitAtOnce(int) { _exit(1); }

// From now on this thread takes SIGINT and SIGTERM, and dies of them.
void ArmSecondSignal() {
  struct sigaction action {};
  action.sa_handler = ExitAtOnce;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = WatchedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

void WaitForStop(const std::function<void()>& on_hangup) {
  const sigset_t signals = WatchedSignals();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    if (on_hangup != nullptr) on_hangup();
  }
  ArmSecondSignal();
}

}  // namespace postern::app
