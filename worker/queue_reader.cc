#include "worker/queue_reader.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "services/common/base/time.h"
#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

namespace asio = boost::asio;

std::string CreateGroupsCommands() {
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "XGROUP", "CREATE", redis::StreamKey(shard), redis::kConsumerGroup,
                         "0", "MKSTREAM");
  }
  return wire;
}

}  // namespace

QueueReader::QueueReader(const asio::any_io_executor& executor, Options options,
                         RedisLink::MakeSettings make_settings, InFlight& in_flight,
                         Deliverer& deliverer, WorkerMetrics& metrics)
    : options_(std::move(options)),
      link_(executor, "read", std::move(make_settings), metrics.redis_faults),
      wakeup_(executor),
      in_flight_(in_flight),
      deliverer_(deliverer),
      metrics_(metrics) {}

asio::awaitable<void> QueueReader::Run() {
  while (!stopped_) {
    if (MayRead()) {
      co_await Step();
    } else {
      co_await wakeup_.Wait();
    }
  }
  ended_ = true;
}

// A read brings up to one entry of each shard at least. With little room left it waits for more:
// many small reads cost more.
bool QueueReader::MayRead() const {
  const std::size_t enough = std::max<std::size_t>(redis::kShards, in_flight_.max() / 8);
  return in_flight_.Room(Origin::kNew) >= enough && !deliverer_.server_away();
}

asio::awaitable<void> QueueReader::Step() {
  const auto begin = std::chrono::steady_clock::now();
  if (!groups_exist_) {
    const absl::Status created = co_await CreateGroups();
    if (!created.ok()) co_return;
  }
  const auto found = co_await Read();
  if (found.ok()) {
    link_.ResetPause();
    if (*found == 0) co_return;
    // Woken early by room or by the stop, it looks again what may be done.
    const auto next = begin + options_.read_interval;
    while (!stopped_ && std::chrono::steady_clock::now() < next) co_await wakeup_.WaitUntil(next);
    co_return;
  }
  if (absl::IsNotFound(found.status())) {
    groups_exist_ = false;
  } else if (!absl::IsCancelled(found.status())) {
    link_.Report(found.status());
    co_await link_.Pause();
  }
}

asio::awaitable<absl::Status> QueueReader::CreateGroups() {
  std::string wire = CreateGroupsCommands();
  auto replies = co_await link_.Exchange(std::move(wire), redis::kShards, kRedisTimeout);
  if (!replies.ok()) co_return replies.status();
  bool created = false;
  for (const redis::Reply& reply : *replies) {
    const absl::Status status = reply.ToStatus();
    created |= status.ok();
    if (status.ok() || absl::IsAlreadyExists(status)) continue;
    link_.Report(status);
    co_await link_.Pause();
    co_return status;
  }
  if (created) log::Info("consumer_groups_created");
  groups_exist_ = true;
  co_return absl::OkStatus();
}

std::string QueueReader::ReadCommand() const {
  const std::string count = std::to_string(in_flight_.Room(Origin::kNew) / redis::kShards);
  const std::string block = std::to_string(kReadBlock.count());
  std::vector<std::string_view> arguments{"XREADGROUP",      "GROUP", redis::kConsumerGroup,
                                          options_.consumer, "COUNT", count,
                                          "BLOCK",           block,   "STREAMS"};
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    arguments.push_back(redis::StreamKey(shard));
  }
  arguments.insert(arguments.end(), redis::kShards, ">");
  std::string wire;
  redis::AppendCommand(wire, std::span<const std::string_view>(arguments));
  return wire;
}

asio::awaitable<absl::StatusOr<std::size_t>> QueueReader::Read() {
  std::string wire = ReadCommand();
  auto replies = co_await link_.Exchange(std::move(wire), 1, kReadBlock + kRedisTimeout);
  // It has been logged, and a pause was made.
  if (!replies.ok()) co_return absl::CancelledError("no exchange");
  const redis::Reply& reply = replies->front();
  if (reply.IsError()) co_return reply.ToStatus();
  entries_.clear();
  if (!AppendStreams(reply.raw(), entries_)) {
    co_return absl::InternalError("XREADGROUP: unexpected reply");
  }
  if (entries_.empty()) co_return 0;
  metrics_.read_batch.Observe(static_cast<double>(entries_.size()));
  ObserveWait();
  deliverer_.Deliver(entries_, Origin::kNew);
  co_return entries_.size();
}

void QueueReader::ObserveWait() const {
  const std::int64_t now_ms = NowMicros() / 1000;
  for (const QueueEntry& entry : entries_) {
    const std::int64_t wait = now_ms - static_cast<std::int64_t>(entry.key.id.milliseconds);
    metrics_.queue_wait_seconds.Observe(static_cast<double>(std::max<std::int64_t>(0, wait)) / 1e3);
  }
}

void QueueReader::Stop() {
  stopped_ = true;
  wakeup_.Wake();
  link_.Stop();
}

}  // namespace postern::worker
