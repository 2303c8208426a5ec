#include "edge_proxy/flush_pace.h"

#include <gtest/gtest.h>

namespace postern::edge {
namespace {

using namespace std::chrono_literals;

TEST(FlushPace, IsTheBaseWhileDeliveriesKeepUp) {
  EXPECT_EQ(FlushInterval(2ms, 1000, 0ms), 2ms);
  EXPECT_EQ(FlushInterval(2ms, 1000, 200ms), 2ms);
}

TEST(FlushPace, LowersTheRateTheLaterDeliveriesAre) {
  EXPECT_EQ(FlushInterval(2ms, 100, 600ms), 10ms) << "10,000 a second";
  EXPECT_EQ(FlushInterval(2ms, 100, 1000ms), 20ms) << "5,000 a second";
  EXPECT_EQ(FlushInterval(2ms, 1000, 1000ms), 200ms) << "the same, whatever the pipelines hold";
  EXPECT_EQ(FlushInterval(2ms, 100, 10s), 20ms) << "and no lower";
}

TEST(FlushPace, HoldsNobodyUpWhoSendsLittle) {
  EXPECT_EQ(FlushInterval(2ms, 5, 10s), 2ms);
  EXPECT_EQ(FlushInterval(2ms, 0, 10s), 2ms);
}

}  // namespace
}  // namespace postern::edge
