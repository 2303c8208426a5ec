#include "services/common/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace postern::metrics {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

TEST(HistogramTest, CountsIntoTheBucketThatIncludesTheBound) {
  Histogram histogram({1, 2});
  histogram.Observe(1);
  histogram.Observe(1.5);
  histogram.ObserveMany(7, 3);
  const auto metric = histogram.Collect().histogram;
  ASSERT_EQ(metric.bucket.size(), 3u);
  EXPECT_EQ(metric.bucket[0].cumulative_count, 1u);
  EXPECT_EQ(metric.bucket[1].cumulative_count, 2u);
  EXPECT_EQ(metric.bucket[2].cumulative_count, 5u);
  EXPECT_EQ(metric.sample_count, 5u);
  EXPECT_DOUBLE_EQ(metric.sample_sum, 1 + 1.5 + 21);
}

TEST(HistogramTest, IgnoresWhatIsNoNumber) {
  Histogram histogram({1});
  histogram.Observe(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(histogram.Collect().histogram.sample_count, 0u);
}

TEST(HistogramTest, LosesNothingBetweenThreads) {
  constexpr int kThreads = 12;
  constexpr int kEach = 20'000;
  Histogram histogram({0.5, 2});
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&histogram] {
      for (int n = 0; n < kEach; ++n) histogram.Observe(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto metric = histogram.Collect().histogram;
  EXPECT_EQ(metric.sample_count, static_cast<std::uint64_t>(kThreads * kEach));
  EXPECT_DOUBLE_EQ(metric.sample_sum, kThreads * kEach);
}

TEST(RegistryTest, ShowsSeriesBeforeTheFirstEvent) {
  Registry registry("postern-edge");
  registry.Counter("postern_refused_total", "Refused.", {{"reason", "full"}});
  registry.MakeHistogram("postern_request_seconds", "Requests.", {1}, {{"route", "a"}});
  EXPECT_THAT(registry.Serialize(),
              AllOf(HasSubstr("postern_refused_total{reason=\"full\"} 0"),
                    HasSubstr("postern_request_seconds_count{route=\"a\"} 0"),
                    HasSubstr("postern_request_seconds_bucket{route=\"a\",le=\"+Inf\"} 0")));
}

TEST(RegistryTest, GivesTheSameMetricForTheSameNameAndLabels) {
  Registry registry("postern-edge");
  registry.Counter("postern_x_total", "X.").Increment();
  registry.Counter("postern_x_total", "X.").Increment();
  EXPECT_THAT(registry.Serialize(), HasSubstr("postern_x_total 2"));
  Histogram& first = registry.MakeHistogram("postern_y", "Y.", {1});
  EXPECT_EQ(&first, &registry.MakeHistogram("postern_y", "Y.", {1}));
}

TEST(RegistryTest, AsksAFunctionAtEachScrape) {
  Registry registry("postern-edge");
  double value = 1;
  registry.GaugeFunction("postern_depth", "Depth.", [&value] { return value; });
  EXPECT_THAT(registry.Serialize(), HasSubstr("postern_depth 1"));
  value = 2;
  EXPECT_THAT(registry.Serialize(), HasSubstr("postern_depth 2"));
}

TEST(RegistryTest, DescribesBuildAndProcess) {
  Registry registry("postern-edge");
  EXPECT_THAT(registry.Serialize(),
              AllOf(ContainsRegex("postern_build_info\\{[^}]*program=\"postern-edge\"[^}]*\\} 1"),
                    HasSubstr("process_cpu_seconds_total "),
                    ContainsRegex("process_resident_memory_bytes [1-9]"),
                    ContainsRegex("process_open_fds [1-9]"), ContainsRegex("process_max_fds [1-9]"),
                    ContainsRegex("process_threads [1-9]"),
                    ContainsRegex("process_start_time_seconds 1[0-9]{9}")));
}

}  // namespace
}  // namespace postern::metrics
