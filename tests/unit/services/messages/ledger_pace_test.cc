#include "services/messages/ledger_pace.h"

#include <gtest/gtest.h>

namespace postern::messages {
namespace {

using namespace std::chrono_literals;

TEST(LedgerPace, IsTheIntervalWhileSamplesAreQuick) {
  LedgerPace pace(1s);
  EXPECT_EQ(pace.AfterSample(3ms), 1s);
  EXPECT_EQ(pace.AfterSample(10ms), 1s);
}

TEST(LedgerPace, LeavesMostOfTheTimeToOthers) {
  LedgerPace pace(1s);
  pace.AfterSample(200ms);
  EXPECT_EQ(pace.AfterSample(300ms), 200ms * kLedgerPausePerWork);
  EXPECT_EQ(pace.AfterSample(300ms), 300ms * kLedgerPausePerWork);
}

TEST(LedgerPace, ADatabaseThatHungOnceSlowsNothing) {
  LedgerPace pace(1s);
  pace.AfterSample(5ms);
  EXPECT_EQ(pace.AfterSample(7s), 1s);
  EXPECT_EQ(pace.AfterSample(5ms), 1s);
}

TEST(LedgerPace, TriesAgainSoonAfterAFailure) {
  LedgerPace pace(1s);
  EXPECT_EQ(pace.AfterFailure(10ms), 1s);
  EXPECT_EQ(pace.AfterFailure(5s), 5s);
}

}  // namespace
}  // namespace postern::messages
