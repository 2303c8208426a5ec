#include "worker/claimer.h"

#include <algorithm>
#include <utility>

#include "services/common/redis/command.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kBegin = "0-0";

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
  while (!stopped_) {
    if (!deliverer_.server_away()) co_await Pass();
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
