#include "edge_proxy/flush_pace.h"

#include <gtest/gtest.h>

namespace postern::edge {
namespace {

using namespace std::chrono_literals;

TEST(FlushPace, IsTheBaseWhileDeliveriesKeepUp) {
  EXPECT_EQ(FlushInterval(2ms, 0ms), 2ms);
  EXPECT_EQ(FlushInterval(2ms, 200ms), 2ms);
}

TEST(FlushPace, WidensWithTheLagUpToItsLimit) {
  EXPECT_EQ(FlushInterval(2ms, 600ms), 11ms);
  EXPECT_EQ(FlushInterval(2ms, 1000ms), 20ms);
  EXPECT_EQ(FlushInterval(2ms, 10s), 20ms);
}

TEST(FlushPace, NeverGoesBelowAWideBase) { EXPECT_EQ(FlushInterval(50ms, 1000ms), 50ms); }

}  // namespace
}  // namespace postern::edge
