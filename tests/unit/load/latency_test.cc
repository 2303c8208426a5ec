#include "tests/load/latency.h"

#include <gtest/gtest.h>

namespace postern::load {
namespace {

using namespace std::chrono_literals;

TEST(LatencyCountsTest, QuantilesAreCloseAndNeverTooLow) {
  LatencyCounts counts;
  for (int i = 1; i <= 100'000; ++i) counts.Add(i * 1us);
  for (const double quantile : {0.01, 0.5, 0.99, 0.999}) {
    const double exact = quantile * 100;
    EXPECT_GE(counts.QuantileMillis(quantile), exact - 0.001);
    EXPECT_LE(counts.QuantileMillis(quantile), exact * 1.033 + 0.002);
  }
  EXPECT_EQ(counts.total(), 100'000U);
}

TEST(LatencyCountsTest, TakesExtremes) {
  LatencyCounts counts;
  EXPECT_EQ(counts.QuantileMillis(0.99), 0);
  counts.Add(-5us);
  EXPECT_LE(counts.QuantileMillis(1), 0.001);
  counts.Add(24h);
  EXPECT_GE(counts.QuantileMillis(1), 24 * 3600 * 1000.0);
  counts.Clear();
  EXPECT_EQ(counts.total(), 0U);
}

}  // namespace
}  // namespace postern::load
