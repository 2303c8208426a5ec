#pragma once

#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/common/base/uuid.h"

namespace postern::messages {

// The last ids that were added, between `per_generation` and twice as many: when the younger of two
// sets is full, the older one is forgotten. Not thread-safe.
class RecentIds {
 public:
  explicit RecentIds(std::size_t per_generation) : per_generation_(per_generation) {
    young_.reserve(per_generation);
    old_.reserve(per_generation);
  }

  void Add(const Uuid& id) {
    if (young_.size() >= per_generation_) {
      std::swap(young_, old_);
      young_.clear();
      young_.reserve(per_generation_);
    }
    young_.insert(id);
  }
  bool Contains(const Uuid& id) const { return young_.contains(id) || old_.contains(id); }

 private:
  const std::size_t per_generation_;
  absl::flat_hash_set<Uuid> young_;
  absl::flat_hash_set<Uuid> old_;
};

}  // namespace postern::messages
