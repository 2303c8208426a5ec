#pragma once

#include <array>
#include <string_view>

#include "services/common/metrics/metrics.h"

namespace postern::edge {

// Why a message did not get into the queue: the label `reason`.
enum class EnqueueFault { kDisconnected, kTimeout, kRefused, kOverloaded, kUnsafe };
inline constexpr std::size_t kEnqueueFaults = 5;

// The metrics of the way into the queue. Shared by all lanes.
struct QueueMetrics {
  explicit QueueMetrics(metrics::Registry& registry);
  prometheus::Counter& errors(EnqueueFault fault) const {
    return *faults_[static_cast<std::size_t>(fault)];
  }

  metrics::Histogram& duration;
  metrics::Histogram& batch_messages;
  prometheus::Counter& accepted;
  prometheus::Counter& connects;
  prometheus::Gauge& waiting;

 private:
  std::array<prometheus::Counter*, kEnqueueFaults> faults_{};
};

}  // namespace postern::edge
