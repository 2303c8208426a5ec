#include "services/common/app/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace postern::app {
namespace {

// Each case runs in a process of its own: signals are the process's.

TEST(SignalsDeathTest, SigtermThatCameEarlyEndsTheWait) {
  EXPECT_EXIT(
      {
        BlockSignals();
        ::kill(::getpid(), SIGTERM);
        WaitForStop();
        std::exit(7);
      },
      testing::ExitedWithCode(7), "");
}

TEST(SignalsDeathTest, HangupCallsBackAndGoesOnWaiting) {
  EXPECT_EXIT(
      {
        BlockSignals();
        ::kill(::getpid(), SIGHUP);
        WaitForStop([] {
          std::fputs("hangup\n", stderr);
          ::kill(::getpid(), SIGINT);
        });
        std::exit(7);
      },
      testing::ExitedWithCode(7), "hangup");
}

TEST(SignalsDeathTest, ASecondSigtermEndsTheProcess) {
  EXPECT_EXIT(
      {
        BlockSignals();
        ::kill(::getpid(), SIGTERM);
        WaitForStop();
        ::kill(::getpid(), SIGTERM);
        std::exit(7);
      },
      testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace postern::app
