#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/redis/safety.h"
#include "services/messages/queue_client.h"

namespace postern::messages {

// One shard as an operator wants to see it.
struct ShardState {
  bool has_group = false;
  std::int64_t entries = 0;
  std::int64_t unread = 0;
  std::int64_t held = 0;
  std::int64_t consumers = 0;
  std::int64_t oldest_entry_at_us = 0;  // 0: there is none.
};

// The queue as a whole.
struct QueueState {
  std::array<ShardState, redis::kShards> shards;
  redis::Faults unsafe_settings;
};

// Asks Redis. The errors of QueueClient.
absl::StatusOr<QueueState> ReadQueueState(QueueClient& queue);

}  // namespace postern::messages
