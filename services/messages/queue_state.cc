#include "services/messages/queue_state.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "services/common/redis/command.h"
#include "services/common/redis/fields.h"
#include "services/messages/envelope_check.h"

namespace postern::messages {
namespace {

void ReadStream(const redisReply& stream, ShardState& shard) {
  shard.entries = redis::IntegerField(stream, "length").value_or(0);
  const redisReply* const first = redis::FindField(stream, "first-entry");
  if (first == nullptr || first->type != REDIS_REPLY_ARRAY || first->elements == 0) return;
  shard.oldest_entry_at_us = EntryTimeMicros(redis::Text(*first->element[0]));
}

void ReadGroups(const redisReply& groups, ShardState& shard) {
  shard.unread = shard.entries;
  for (std::size_t i = 0; groups.type == REDIS_REPLY_ARRAY && i < groups.elements; ++i) {
    const redisReply& group = *groups.element[i];
    if (redis::TextField(group, "name") != redis::kConsumerGroup) continue;
    shard.has_group = true;
    shard.held = redis::IntegerField(group, "pending").value_or(0);
    shard.consumers = redis::IntegerField(group, "consumers").value_or(0);
    // Redis does not know the lag when an entry that nobody read was deleted.
    shard.unread = redis::IntegerField(group, "lag")
                       .value_or(std::max<std::int64_t>(0, shard.entries - shard.held));
  }
}

}  // namespace

absl::StatusOr<QueueState> ReadQueueState(QueueClient& queue) {
  std::string wire;
  const std::size_t settings = redis::AppendSafetyCommands(wire);
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "XINFO", "STREAM", redis::StreamKey(shard));
    redis::AppendCommand(wire, "XINFO", "GROUPS", redis::StreamKey(shard));
  }
  const auto replies = queue.Exchange(std::move(wire), settings + 2 * redis::kShards);
  if (!replies.ok()) return replies.status();
  const std::span<const redis::Reply> answers(*replies);
  QueueState state;
  absl::StatusOr<redis::Faults> faults = redis::JudgeSafety(answers.first(settings));
  if (!faults.ok()) return faults.status();
  state.unsafe_settings = *std::move(faults);
  for (std::size_t shard = 0; shard < redis::kShards; ++shard) {
    const redis::Reply& stream = answers[settings + 2 * shard];
    // A stream that nobody has written to yet is not there.
    const absl::Status status = stream.ToStatus();
    if (!status.ok() && !absl::IsNotFound(status)) return status;
    ReadStream(stream.raw(), state.shards[shard]);
    ReadGroups(answers[settings + 2 * shard + 1].raw(), state.shards[shard]);
  }
  return state;
}

}  // namespace postern::messages
