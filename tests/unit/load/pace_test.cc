#include "tests/load/pace.h"

#include <gtest/gtest.h>

namespace postern::load {
namespace {

using namespace std::chrono_literals;

const Pace::Clock::time_point kStart{1h};

TEST(PaceTest, FollowsItsSchedule) {
  Pace pace(1000, kStart);
  EXPECT_EQ(pace.TakeDue(kStart), kStart);
  EXPECT_EQ(pace.TakeDue(kStart), std::nullopt);
  EXPECT_EQ(pace.TakeDue(kStart + 999us), std::nullopt);
  EXPECT_EQ(pace.TakeDue(kStart + 1ms), kStart + 1ms);
}

TEST(PaceTest, NothingIsDueBeforeTheStart) {
  Pace pace(1000, kStart);
  EXPECT_EQ(pace.TakeDue(kStart - 1us), std::nullopt);
  EXPECT_EQ(pace.Overdue(kStart - 1s), 0);
}

// No coordinated omission: after a stall each request still has the moment at which it should have
// been sent.
TEST(PaceTest, AStallDoesNotMoveTheSchedule) {
  Pace pace(1000, kStart);
  EXPECT_EQ(pace.TakeDue(kStart), kStart);
  const auto late = kStart + 5ms;
  EXPECT_EQ(pace.Overdue(late), 5);
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(pace.TakeDue(late), kStart + i * 1ms);
  EXPECT_EQ(pace.TakeDue(late), std::nullopt);
  EXPECT_EQ(pace.Overdue(late), 0);
}

TEST(PaceTest, KeepsARateThatIsNoWholeNumberOfMicroseconds) {
  Pace pace(5787, kStart);
  int taken = 0;
  while (pace.TakeDue(kStart + 100s)) ++taken;
  EXPECT_EQ(taken, 578'701);
}

}  // namespace
}  // namespace postern::load
