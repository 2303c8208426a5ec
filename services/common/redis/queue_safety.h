#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "services/common/metrics/metrics.h"
#include "services/common/redis/safety.h"

namespace postern::redis {

// Whether Redis, as last seen, keeps what it acknowledges, for the health and the metric
// `postern_queue_unsafe` of a program. Before the first look it counts as unsafe, so that nothing
// is accepted on trust. Thread-safe.
class QueueSafety {
 public:
  // `allow_unsafe`: `safe` is true whatever the settings are; for tests and development.
  explicit QueueSafety(metrics::Registry& metrics, bool allow_unsafe = false);

  // Takes what JudgeSafety found; a change is logged.
  void Set(const Faults& faults);
  bool safe() const { return safe_.load(std::memory_order_relaxed); }
  // The faults as one line; empty when there are none.
  std::string faults() const;

 private:
  const bool allow_unsafe_;
  prometheus::Gauge& unsafe_;
  std::atomic<bool> safe_{false};
  mutable std::mutex mutex_;
  std::string faults_;
  bool known_ = false;
};

}  // namespace postern::redis
