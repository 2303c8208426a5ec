#include "services/common/app/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "services/common/app/signals.h"

namespace postern::app {

void PrepareProcess() {
  BlockSignals();
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // The soft limit is for programs that use select(2).
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

std::size_t DescriptorLimit() {
  rlimit descriptors{};
  return getrlimit(RLIMIT_NOFILE, &descriptors) == 0
             ? static_cast<std::size_t>(descriptors.rlim_cur)
             : 0;
}

absl::Status DisableCoreDumps() {
  // A core pattern that names a program ignores the limit, and only the flag stops it.
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
    return absl::ErrnoToStatus(errno, "cannot switch core dumps off");
  }
  return absl::OkStatus();
}

void EndProcess(int exit_code) {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  std::_Exit(exit_code);
}

}  // namespace postern::app
