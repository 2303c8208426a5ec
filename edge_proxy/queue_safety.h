#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace postern::edge {

// Whether Redis, as last seen, keeps what it acknowledges. Before the first look it counts as
// unsafe, so that nothing is accepted on trust. Thread-safe.
class QueueSafety {
 public:
  // `allow_unsafe`: accept whatever the settings are; for tests and development.
  explicit QueueSafety(bool allow_unsafe) : allow_unsafe_(allow_unsafe) {}

  // Takes the answer of redis::UnsafeSettings.
  void Set(const std::vector<std::string>& faults);
  bool safe() const { return safe_.load(std::memory_order_relaxed); }
  // The faults as one line; empty when there are none.
  std::string faults() const;

 private:
  const bool allow_unsafe_;
  std::atomic<bool> safe_{false};
  mutable std::mutex mutex_;
  std::string faults_;
  bool known_ = false;
};

}  // namespace postern::edge
