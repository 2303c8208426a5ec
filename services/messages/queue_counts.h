#pragma once

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/queue_client.h"

namespace postern::messages {

// What a shard of the queue counted by itself, at one moment.
struct ShardCount {
  std::int64_t counted = 0;  // entries-added - requeued: never falls while the data live.
  std::int64_t entries = 0;
  // The mark of this life of the data, 0 when they have none. Data that were lost have none; data
  // from an older backup have an older one.
  std::int64_t life = 0;
};
using QueueCounts = std::array<ShardCount, redis::kShards>;

// Each shard's figures belong to one moment. The errors of QueueClient.
absl::StatusOr<QueueCounts> ReadQueueCounts(QueueClient& queue);

// Marks lives of shards' data; 0 leaves a shard's mark as it is.
absl::Status MarkLives(QueueClient& queue, const std::array<std::int64_t, redis::kShards>& lives);

}  // namespace postern::messages
