#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "services/common/redis/queue_layout.h"
#include "worker/queue_entry.h"

namespace postern::worker {

// Entries to remove from the queue, by shard. Not thread-safe.
class AckBuffer {
 public:
  void Add(const EntryKey& key);
  // Takes over what `other` holds.
  void Merge(AckBuffer&& other);
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  // For each shard that has some: XDEL first, then XACK. Cut between the two, this order leaves a
  // pending id that XAUTOCLAIM purges; the other one an entry that is neither pending nor new.
  // Returns how many commands were appended.
  std::size_t AppendCommands(std::string& wire) const;

  template <typename Function>
  void ForEach(Function&& function) const {
    for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
      for (const EntryId& id : ids_[shard]) function(EntryKey{shard, id});
    }
  }

 private:
  std::array<std::vector<EntryId>, redis::kShards> ids_;
  std::size_t size_ = 0;
};

}  // namespace postern::worker
