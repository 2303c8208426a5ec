#include "services/common/app/process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace postern::app {
namespace {

// In a process of its own, since there is no way back. Gives its exit code.
template <typename F>
int InChild(F work) {
  const pid_t child = fork();
  if (child == 0) std::_Exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(DisableCoreDumps, TakesTheLimitAndTheFlag) {
  EXPECT_EQ(0, InChild([] {
              if (!DisableCoreDumps().ok()) return 1;
              rlimit limit{};
              if (getrlimit(RLIMIT_CORE, &limit) != 0) return 2;
              if (limit.rlim_cur != 0 || limit.rlim_max != 0) return 3;
              return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 4;
            }));
}

}  // namespace
}  // namespace postern::app
