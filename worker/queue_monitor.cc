#include "worker/queue_monitor.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "services/common/redis/command.h"
#include "services/common/redis/fields.h"
#include "services/common/redis/queue_layout.h"
#include "worker/limits.h"
#include "worker/queue_entry.h"

namespace postern::worker {
namespace {

namespace asio = boost::asio;

// KEYS[1] stream; ARGV: group, this consumer, least idle milliseconds, `own` or `others`. A script,
// since between a look and the deletion a consumer could take an entry, which would be lost with
// it.
constexpr std::string_view kDeleteConsumers = R"(
local deleted = 0
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #row, 2 do consumer[row[i]] = row[i + 1] end
  local own = consumer['name'] == ARGV[2]
  if consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[3])
      and own == (ARGV[4] == 'own') then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    deleted = deleted + 1
  end
end
return deleted
)";

struct GroupState {
  std::int64_t pending = 0;
  std::optional<std::int64_t> lag;
};

GroupState ReadGroups(const redisReply& groups) {
  GroupState state;
  for (std::size_t i = 0; groups.type == REDIS_REPLY_ARRAY && i < groups.elements; ++i) {
    const redisReply& group = *groups.element[i];
    if (redis::TextField(group, "name") != redis::kConsumerGroup) continue;
    state.pending = redis::IntegerField(group, "pending").value_or(0);
    state.lag = redis::IntegerField(group, "lag");
  }
  return state;
}

// When the stream's first entry came, in milliseconds since the Unix epoch.
std::optional<std::uint64_t> OldestEntry(const redisReply& stream) {
  const redisReply* const first = redis::FindField(stream, "first-entry");
  if (first == nullptr || first->type != REDIS_REPLY_ARRAY || first->elements == 0) {
    return std::nullopt;
  }
  const auto id = EntryId::Parse(redis::Text(*first->element[0]));
  if (!id) return std::nullopt;
  return id->milliseconds;
}

}  // namespace

QueueMonitor::QueueMonitor(const asio::any_io_executor& executor, Options options,
                           RedisLink::MakeSettings make_settings, redis::QueueSafety& safety,
                           WorkerMetrics& metrics)
    : options_(std::move(options)),
      link_(executor, "monitor", std::move(make_settings), metrics.redis_faults),
      wakeup_(executor),
      safety_(safety),
      metrics_(metrics) {}

asio::awaitable<void> QueueMonitor::Run() {
  auto next_deletion = std::chrono::steady_clock::now();
  while (!stopped_) {
    co_await Measure();
    if (std::chrono::steady_clock::now() >= next_deletion) {
      co_await DeleteConsumers(false);
      next_deletion = std::chrono::steady_clock::now() + options_.stale_period;
    }
    const auto next = std::chrono::steady_clock::now() + redis::kSafetyCheckInterval;
    if (!stopped_) co_await wakeup_.WaitUntil(next);
  }
  if (link_.connected()) co_await DeleteConsumers(true);
  link_.Close();
  ended_ = true;
}

asio::awaitable<void> QueueMonitor::Measure() {
  std::string wire;
  const std::size_t settings = redis::AppendSafetyCommands(wire);
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "XINFO", "STREAM", redis::StreamKey(shard));
    redis::AppendCommand(wire, "XINFO", "GROUPS", redis::StreamKey(shard));
  }
  auto replies =
      co_await link_.Exchange(std::move(wire), settings + 2 * redis::kShards, kRedisTimeout);
  if (!replies.ok()) co_return;
  link_.ResetPause();
  const std::span<const redis::Reply> answers(*replies);
  const absl::StatusOr<redis::Faults> faults = redis::JudgeSafety(answers.first(settings));
  if (faults.ok()) {
    safety_.Set(*faults);
  } else {
    link_.Report(faults.status());
  }
  Publish(answers.subspan(settings));
}

void QueueMonitor::Publish(std::span<const redis::Reply> replies) {
  std::int64_t lag = 0;
  std::int64_t pending = 0;
  std::optional<std::uint64_t> oldest;
  for (std::size_t shard = 0; shard < redis::kShards; ++shard) {
    const redisReply& stream = replies[2 * shard].raw();
    const GroupState group = ReadGroups(replies[2 * shard + 1].raw());
    const std::int64_t length = redis::IntegerField(stream, "length").value_or(0);
    pending += group.pending;
    // Redis does not know the lag when an entry that nobody read was deleted.
    lag += group.lag.value_or(std::max<std::int64_t>(0, length - group.pending));
    const auto first = OldestEntry(stream);
    if (first && (!oldest || *first < *oldest)) oldest = first;
  }
  metrics_.queue_lag.Set(static_cast<double>(lag));
  metrics_.queue_pending.Set(static_cast<double>(pending));
  metrics_.queue_oldest.Set(static_cast<double>(oldest.value_or(0)) / 1e3);
}

asio::awaitable<void> QueueMonitor::DeleteConsumers(bool own) {
  const std::chrono::milliseconds least_idle =
      own ? std::chrono::milliseconds(0) : options_.stale_after;
  const std::string idle = std::to_string(least_idle.count());
  const std::string_view whose = own ? "own" : "others";
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "EVAL", kDeleteConsumers, "1", redis::StreamKey(shard),
                         redis::kConsumerGroup, options_.consumer, idle, whose);
  }
  auto replies = co_await link_.Exchange(std::move(wire), redis::kShards, kRedisTimeout);
  if (!replies.ok()) co_return;
  std::int64_t deleted = 0;
  for (const redis::Reply& reply : *replies) {
    if (reply.IsInteger()) deleted += reply.integer();
    if (reply.IsError() && !absl::IsNotFound(reply.ToStatus())) link_.Report(reply.ToStatus());
  }
  if (!own && deleted > 0) log::Info("stale_consumers_deleted", "count", deleted);
}

void QueueMonitor::Stop() {
  stopped_ = true;
  wakeup_.Wake();
}

}  // namespace postern::worker
