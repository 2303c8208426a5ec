#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "absl/container/flat_hash_map.h"
#include "worker/queue_entry.h"

namespace postern::worker {

// How an entry came into hand: read for the first time, or claimed after a failure or from a worker
// that died.
enum class Origin { kNew, kClaimed };

// The entries that this process has in hand: taken from the queue, and neither acknowledged nor
// given back. Bounds them, and keeps an entry from being delivered twice at a time. All calls on
// one thread, except the readers of counts.
class InFlight {
 public:
  // A part of `max` is for claimed entries alone: see limits.h.
  explicit InFlight(std::size_t max);

  // Called whenever there is room again.
  void OnRoom(std::function<void()> on_room) { on_room_ = std::move(on_room); }
  void NotifyRoom() const {
    if (on_room_) on_room_();
  }

  // False when the entry is in hand already.
  bool Take(const EntryKey& key, Origin origin);
  void Release(const EntryKey& key);

  // How many more may be taken.
  std::size_t Room(Origin origin) const;
  std::size_t max() const { return max_; }
  // Thread-safe.
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  const std::size_t max_;
  const std::size_t max_claimed_;
  std::size_t claimed_ = 0;
  std::atomic<std::size_t> size_{0};
  absl::flat_hash_map<EntryKey, Origin> entries_;
  std::function<void()> on_room_;
};

}  // namespace postern::worker
