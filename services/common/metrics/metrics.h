#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace postern::metrics {

// A histogram whose Observe is two relaxed atomic additions to memory of the calling thread's
// stripe: no lock, no contention. Owned by the Registry. Thread-safe.
class Histogram {
 public:
  explicit Histogram(std::vector<double> upper_bounds);
  void Observe(double value) { ObserveMany(value, 1); }
  // Counts `value` `times` times: for a batch in which all items share one duration.
  void ObserveMany(double value, std::uint64_t times);

  prometheus::ClientMetric Collect() const;

 private:
  static constexpr std::size_t kStripes = 8;
  struct alignas(64) Stripe {
    std::unique_ptr<std::atomic<std::uint64_t>[]> buckets;
    std::atomic<double> sum{0};
  };
  std::vector<double> upper_bounds_;
  std::array<Stripe, kStripes> stripes_;
};

using Labels = std::map<std::string, std::string>;

// Seconds, from half a millisecond to ten seconds: for requests and calls.
std::vector<double> RequestBuckets();
// Seconds, from 100 ms to an hour: for the way of a message from end to end.
std::vector<double> EndToEndBuckets();
// 1, 2, 4, … 1024: for batch sizes.
std::vector<double> BatchBuckets();

// One process's metrics. Get references at start and keep them: the getters lock, the metrics do
// not. Each getter creates the series with value 0, so that it is visible before the first event.
// Names: prefix `postern_`, base units, `_total` on counters. Metrics live as long as the registry.
// Thread-safe.
class Registry {
 public:
  // Adds `postern_build_info` and the `process_*` metrics of the Prometheus client library
  // specification.
  explicit Registry(const std::string& program);

  prometheus::Counter& Counter(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help,
                           const Labels& labels = {});
  Histogram& MakeHistogram(const std::string& name, const std::string& help,
                           std::vector<double> upper_bounds, const Labels& labels = {});
  // A gauge whose value is asked for at each scrape; `read` must not block and must outlive the
  // registry.
  void GaugeFunction(const std::string& name, const std::string& help, std::function<double()> read,
                     const Labels& labels = {});

  // Prometheus text format 0.0.4.
  std::string Serialize() const;

 private:
  class HistogramFamily;
  class FunctionFamily;
  prometheus::Registry registry_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<HistogramFamily>> histograms_;
  std::map<std::string, std::shared_ptr<FunctionFamily>> functions_;
};

}  // namespace postern::metrics
