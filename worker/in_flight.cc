#include "worker/in_flight.h"

#include "worker/limits.h"

namespace postern::worker {
namespace {

std::size_t Left(std::size_t max, std::size_t used) { return used < max ? max - used : 0; }

}  // namespace

InFlight::InFlight(std::size_t max) : max_(max), max_claimed_(max / kClaimedShare) {
  entries_.reserve(max);
}

bool InFlight::Take(const EntryKey& key, Origin origin) {
  if (!entries_.emplace(key, origin).second) return false;
  if (origin == Origin::kClaimed) ++claimed_;
  size_.store(entries_.size(), std::memory_order_relaxed);
  return true;
}

void InFlight::Release(const EntryKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  if (found->second == Origin::kClaimed) --claimed_;
  entries_.erase(found);
  size_.store(entries_.size(), std::memory_order_relaxed);
}

std::size_t InFlight::Room(Origin origin) const {
  if (origin == Origin::kClaimed) return Left(max_claimed_, claimed_);
  return Left(max_ - max_claimed_, entries_.size() - claimed_);
}

}  // namespace postern::worker
