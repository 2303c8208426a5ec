#include "services/messages/queue_counts.h"

#include <string>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/redis/command.h"

namespace postern::messages {
namespace {

// KEYS: stream, requeued, life. One step, so that what was re-enqueued between two looks cannot
// make the count fall.
constexpr char kCountScript[] = R"(
local added, length = 0, 0
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
if stream.err then
  if not string.find(stream.err, 'no such key', 1, true) then return stream end
else
  for i = 1, #stream, 2 do
    if stream[i] == 'entries-added' then added = stream[i + 1] end
    if stream[i] == 'length' then length = stream[i + 1] end
  end
end
local requeued = tonumber(redis.call('GET', KEYS[2]) or '0')
local life = tonumber(redis.call('GET', KEYS[3]) or '0')
if not requeued or not life then
  return redis.error_reply('ERR ' .. KEYS[2] .. ' or ' .. KEYS[3] .. ' is not a number')
end
return {added - requeued, length, life}
)";

// Marks a life of the queue's data. In the slot of its stream.
std::string LifeKey(std::uint32_t shard) { return StrCat("postern:{", shard, "}:life"); }

}  // namespace

absl::StatusOr<QueueCounts> ReadQueueCounts(QueueClient& queue) {
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "EVAL", kCountScript, "3", redis::StreamKey(shard),
                         redis::RequeuedKey(shard), LifeKey(shard));
  }
  const auto replies = queue.Exchange(std::move(wire), redis::kShards);
  if (!replies.ok()) return replies.status();
  QueueCounts counts;
  for (std::size_t shard = 0; shard < counts.size(); ++shard) {
    const redis::Reply& reply = (*replies)[shard];
    if (reply.IsError()) return reply.ToStatus();
    const redisReply& figures = reply.raw();
    if (!reply.IsArray() || figures.elements != 3) {
      return absl::DataLossError("queue: the count of a shard has another form");
    }
    counts[shard] = {figures.element[0]->integer, figures.element[1]->integer,
                     figures.element[2]->integer};
  }
  return counts;
}

absl::Status MarkLives(QueueClient& queue, const std::array<std::int64_t, redis::kShards>& lives) {
  std::string wire;
  std::size_t marks = 0;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    if (lives[shard] == 0) continue;
    redis::AppendCommand(wire, "SET", LifeKey(shard), StrCat(lives[shard]));
    ++marks;
  }
  if (marks == 0) return absl::OkStatus();
  const auto replies = queue.Exchange(std::move(wire), marks);
  if (!replies.ok()) return replies.status();
  for (const redis::Reply& reply : *replies) {
    if (reply.IsError()) return reply.ToStatus();
  }
  return absl::OkStatus();
}

}  // namespace postern::messages
