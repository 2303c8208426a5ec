#include "worker/claimer.h"

#include <algorithm>
#include <utility>

#include "services/common/log/log.h"
#include "services/common/redis/command.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kBegin = "0-0";

// Takes over entries that look as if taken in the future. KEYS[1] stream; ARGV: group, this
// consumer, least milliseconds ahead, most entries to look at.
constexpr std::string_view kTakeFutureEntries = R"(
local function field(list, name)
  for i = 1, #list, 2 do if list[i] == name then return list[i + 1] end end
end
if redis.call('XPENDING', KEYS[1], ARGV[1])[1] == 0 then return 0 end
local now = redis.call('TIME')
local limit = now[1] * 1000 + now[2] / 1000 + ARGV[3]
local stream = redis.call('XINFO', 'STREAM', KEYS[1], 'FULL', 'COUNT', ARGV[4])
local taken = 0
for _, group in ipairs(field(stream, 'groups')) do
  if field(group, 'name') == ARGV[1] then
    for _, entry in ipairs(field(group, 'pending')) do
      if entry[3] > limit then
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'JUSTID')
        taken = taken + 1
      end
    end
  end
end
return taken
)";

}  // namespace

Claimer::Claimer(const asio::any_io_executor& executor, Options options,
                 RedisLink::MakeSettings make_settings, InFlight& in_flight, Deliverer& deliverer,
                 WorkerMetrics& metrics)
    : options_(std::move(options)),
      link_(executor, "claim", std::move(make_settings), metrics.redis_faults),
      wakeup_(executor),
      in_flight_(in_flight),
      deliverer_(deliverer),
      metrics_(metrics) {}

asio::awaitable<void> Claimer::Run() {
  const auto period = std::clamp(options_.retry_interval / 10, kClaimPeriodMin, kClaimPeriodMax);
  auto next_future = std::chrono::steady_clock::now();
  while (!stopped_) {
    if (!deliverer_.server_away()) co_await Pass();
    if (!stopped_ && std::chrono::steady_clock::now() >= next_future) {
      co_await TakeFutureEntries();
      next_future = std::chrono::steady_clock::now() + kFutureEntriesPeriod;
    }
    if (!stopped_) co_await wakeup_.WaitUntil(std::chrono::steady_clock::now() + period);
  }
  ended_ = true;
}

asio::awaitable<void> Claimer::Pass() {
  Cursors cursors;
  cursors.fill(std::string(kBegin));
  for (int round = 0; round < kMaxClaimRounds && !stopped_; ++round) {
    if (in_flight_.Room(Origin::kClaimed) < redis::kShards || deliverer_.server_away()) co_return;
    const bool more = co_await Round(cursors);
    if (!more) co_return;
  }
}

// Redis measures how long an entry has been pending by its calendar clock. After that clock was put
// back, entries taken before look as if taken in the future, and XAUTOCLAIM would pass them over
// until the clock is there again. Claimed by hand, they are as if taken now.
asio::awaitable<void> Claimer::TakeFutureEntries() {
  const std::string ahead = std::to_string(kFutureEntryMin.count());
  const std::string count = std::to_string(kFutureEntriesLooked);
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "EVAL", kTakeFutureEntries, "1", redis::StreamKey(shard),
                         redis::kConsumerGroup, options_.consumer, ahead, count);
  }
  auto replies = co_await link_.Exchange(std::move(wire), redis::kShards, kRedisTimeout);
  if (!replies.ok()) co_return;
  std::int64_t taken = 0;
  for (const redis::Reply& reply : *replies) {
    if (reply.IsInteger()) taken += reply.integer();
    if (reply.IsError() && !absl::IsNotFound(reply.ToStatus())) link_.Report(reply.ToStatus());
  }
  if (taken > 0) log::Warn("redis_clock_was_put_back", "entries_taken_over", taken);
}

std::size_t Claimer::AppendCommands(const Cursors& cursors, std::string& wire) const {
  const std::string idle = std::to_string(options_.retry_interval.count());
  const std::string count = std::to_string(in_flight_.Room(Origin::kClaimed) / redis::kShards);
  std::size_t commands = 0;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    if (cursors[shard].empty()) continue;
    redis::AppendCommand(wire, "XAUTOCLAIM", redis::StreamKey(shard), redis::kConsumerGroup,
                         options_.consumer, idle, cursors[shard], "COUNT", count);
    ++commands;
  }
  return commands;
}

asio::awaitable<bool> Claimer::Round(Cursors& cursors) {
  std::string wire;
  const std::size_t commands = AppendCommands(cursors, wire);
  if (commands == 0) co_return false;
  auto replies = co_await link_.Exchange(std::move(wire), commands, kRedisTimeout);
  if (!replies.ok()) co_return false;
  link_.ResetPause();
  entries_.clear();
  std::size_t next = 0;
  bool good = true;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    if (cursors[shard].empty()) continue;
    good &= TakeReply((*replies)[next++], shard, cursors[shard]);
  }
  if (!entries_.empty()) {
    const std::size_t taken = deliverer_.Deliver(entries_, Origin::kClaimed);
    metrics_.claimed.Increment(static_cast<double>(taken));
  }
  co_return good;
}

// `[next cursor, entries, ids of deleted entries]`; Redis itself has taken the deleted ones off the
// pending list.
bool Claimer::TakeReply(const redis::Reply& reply, std::uint32_t shard, std::string& cursor) {
  if (reply.IsError()) {
    // A missing group is the reader's to make.
    if (!absl::IsNotFound(reply.ToStatus())) link_.Report(reply.ToStatus());
    return false;
  }
  const redisReply& raw = reply.raw();
  if (raw.type != REDIS_REPLY_ARRAY || raw.elements < 2 || raw.element[0]->str == nullptr ||
      !AppendEntries(*raw.element[1], shard, entries_)) {
    link_.Report(absl::InternalError("XAUTOCLAIM: unexpected reply"));
    return false;
  }
  cursor.assign(raw.element[0]->str, raw.element[0]->len);
  if (cursor == kBegin) cursor.clear();
  return true;
}

void Claimer::Stop() {
  stopped_ = true;
  wakeup_.Wake();
  link_.Stop();
}

}  // namespace postern::worker
