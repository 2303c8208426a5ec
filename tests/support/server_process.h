#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace postern::test {

// Starts a program with its output in the file `log`. It does not outlive a test that crashes. -1
// when it cannot be forked; exit code 127 when there is no such program.
pid_t Spawn(std::vector<std::string> arguments, const std::string& log);

std::string ReadText(const std::string& path);

// A server of a test's own, as a process: started until it says in its log that it is ready, ended,
// paused, killed. Not thread-safe. Killed by the destructor.
class ServerProcess {
 public:
  // `log`: the file that it writes. `ready`: what it says there once it can be used.
  ServerProcess(std::string log, std::string ready);
  ~ServerProcess() { Kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // 0 while it does not run.
  pid_t pid() const { return pid_; }

  // On a thread that lives as long as the server is to: the kernel ends it with the thread. Starts
  // `arguments`, with an empty log, and waits for half a minute until it is ready.
  // Unavailable with its log when it ends before, as for a port that is taken.
  absl::Status Launch(std::vector<std::string> arguments);
  // Orderly end (SIGTERM), waited for.
  void Stop();
  // SIGKILL, waited for.
  void Kill();
  // Stands still and goes on (SIGSTOP, SIGCONT).
  void Pause();
  void Continue();

 private:
  absl::Status WaitUntilReady(const std::string& program);
  void End(int signal);

  const std::string log_;
  const std::string ready_;
  pid_t pid_ = 0;
};

}  // namespace postern::test
