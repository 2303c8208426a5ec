#pragma once

#include <array>

#include "edge_proxy/router.h"
#include "services/common/metrics/metrics.h"

namespace postern::edge {

// Counts requests by route and status for one lane. Not thread-safe; the metrics behind it are
// shared.
class RequestMetrics {
 public:
  explicit RequestMetrics(metrics::Registry& registry);
  void Count(Route route, int status, double seconds);

 private:
  static constexpr int kStatusMin = 200;
  static constexpr int kStatusMax = 599;

  metrics::Registry& registry_;
  std::array<metrics::Histogram*, kRoutes> durations_{};
  // The registry's getter locks, so each counter is fetched once.
  std::array<std::array<prometheus::Counter*, kStatusMax - kStatusMin + 1>, kRoutes> counters_{};
};

}  // namespace postern::edge
