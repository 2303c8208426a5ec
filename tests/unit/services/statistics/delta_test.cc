#include "services/statistics/delta.h"

#include <gtest/gtest.h>

#include "services/common/base/latency_steps.h"
#include "services/statistics/figures.h"

namespace postern::statistics {
namespace {

TEST(DeltaTest, ReadsWhatWasWrittenAndAddsItUp) {
  std::string text;
  AppendCounts(text, 100, "acme", {1, 2, 3, 4});
  AppendCounts(text, 100, "bolt", {1, 0, 0, 0});
  AppendLatency(text, 101, 7, 5);
  Delta delta;
  ASSERT_TRUE(delta.AddText(text).ok());
  ASSERT_TRUE(delta.AddText(text).ok());
  EXPECT_EQ(delta.counts.size(), 2u);
  const BucketCounts& acme = delta.counts.at({100, "acme"});
  EXPECT_EQ(acme.accepted, 2);
  EXPECT_EQ(acme.delivered, 4);
  EXPECT_EQ(acme.dead, 6);
  EXPECT_EQ(acme.failed_attempts, 8);
  EXPECT_EQ(delta.latencies.at({101, 7}), 10);
}

TEST(DeltaTest, OtherTextIsDamage) {
  for (const char* text :
       {"nonsense", "1 acme 1 2 3", "x acme 1 2 3 4", "~ 1 2", "~ 1 x 3", "1 acme 1 2 3 4 5"}) {
    Delta delta;
    EXPECT_TRUE(absl::IsDataLoss(delta.AddText(text))) << text;
  }
}

TEST(LatencyTest, StepsAreNarrowAndInOrder) {
  EXPECT_EQ(LatencyStep(-5), 0);
  EXPECT_EQ(LatencyStep(1000), 0);
  int last = 0;
  for (std::int64_t micros = 1001; micros < 3'600'000'000; micros = micros * 21 / 20) {
    const int step = LatencyStep(micros);
    EXPECT_GE(step, last);
    EXPECT_LE(micros, LatencyOfStep(step) + 1);
    EXPECT_GE(static_cast<double>(micros) * 1.2, static_cast<double>(LatencyOfStep(step)));
    last = step;
  }
  EXPECT_EQ(LatencyStep(INT64_MAX), kLatencyStepsMax - 1);
}

TEST(LatencyTest, PercentilesAreThoseOfTheCounts) {
  EXPECT_EQ(Percentiles({}).p99_us(), 0);
  const Histogram histogram = {
      {LatencyStep(2'000), 90}, {LatencyStep(100'000), 9}, {LatencyStep(5'000'000), 1}};
  const v1::Latency latency = Percentiles(histogram);
  EXPECT_EQ(latency.count(), 100);
  EXPECT_EQ(latency.p50_us(), LatencyOfStep(LatencyStep(2'000)));
  EXPECT_EQ(latency.p90_us(), LatencyOfStep(LatencyStep(2'000)));
  EXPECT_EQ(latency.p99_us(), LatencyOfStep(LatencyStep(100'000)));
}

}  // namespace
}  // namespace postern::statistics
