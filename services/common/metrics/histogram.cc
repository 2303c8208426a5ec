#include <prometheus/client_metric.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "services/common/metrics/metrics.h"

namespace postern::metrics {
namespace {

// Counters behind the last one of a stripe, so that no cache line belongs to two stripes.
constexpr std::size_t kPadding = 64 / sizeof(std::atomic<std::uint64_t>);

std::size_t ThreadNumber() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

Histogram::Histogram(std::vector<double> upper_bounds) : upper_bounds_(std::move(upper_bounds)) {
  for (Stripe& stripe : stripes_) {
    stripe.buckets =
        std::make_unique<std::atomic<std::uint64_t>[]>(upper_bounds_.size() + 1 + kPadding);
  }
}

void Histogram::ObserveMany(double value, std::uint64_t times) {
  if (std::isnan(value) || times == 0) return;
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(upper_bounds_.begin(), upper_bounds_.end(), value) - upper_bounds_.begin());
  Stripe& stripe = stripes_[ThreadNumber() % kStripes];
  stripe.buckets[bucket].fetch_add(times, std::memory_order_relaxed);
  stripe.sum.fetch_add(value * static_cast<double>(times), std::memory_order_relaxed);
}

prometheus::ClientMetric Histogram::Collect() const {
  prometheus::ClientMetric metric;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= upper_bounds_.size(); ++i) {
    for (const Stripe& stripe : stripes_) {
      count += stripe.buckets[i].load(std::memory_order_relaxed);
    }
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = count;
    bucket.upper_bound =
        i < upper_bounds_.size() ? upper_bounds_[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back(bucket);
  }
  metric.histogram.sample_count = count;
  for (const Stripe& stripe : stripes_) {
    metric.histogram.sample_sum += stripe.sum.load(std::memory_order_relaxed);
  }
  return metric;
}

std::vector<double> RequestBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

std::vector<double> EndToEndBuckets() {
  return {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};
}

std::vector<double> BatchBuckets() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}; }

}  // namespace postern::metrics
