#include "worker/acknowledger.h"

#include <chrono>
#include <string>
#include <utility>

#include "worker/limits.h"

namespace postern::worker {

namespace asio = boost::asio;

Acknowledger::Acknowledger(const asio::any_io_executor& executor,
                           RedisLink::MakeSettings make_settings, InFlight& in_flight,
                           WorkerMetrics& metrics)
    : link_(executor, "acknowledge", std::move(make_settings), metrics.redis_faults),
      wakeup_(executor),
      in_flight_(in_flight),
      metrics_(metrics) {}

void Acknowledger::Add(const EntryKey& key) {
  // Later ones find the coroutine awake, gathering.
  if (waiting_.empty()) wakeup_.Wake();
  waiting_.Add(key);
}

asio::awaitable<void> Acknowledger::Run() {
  // Not at the first acknowledgement: readiness means that there is a connection.
  co_await link_.Open();
  while (!stopped_) {
    if (idle()) {
      co_await wakeup_.Wait();
      continue;
    }
    const auto until = std::chrono::steady_clock::now() + kAckInterval;
    while (!hurry_ && std::chrono::steady_clock::now() < until) co_await wakeup_.WaitUntil(until);
    co_await Flush();
  }
}

asio::awaitable<void> Acknowledger::Flush() {
  sending_.Merge(std::move(waiting_));
  std::string wire;
  const std::size_t commands = sending_.AppendCommands(wire);
  auto replies = co_await link_.Exchange(std::move(wire), commands, kRedisTimeout);
  if (!replies.ok()) co_return;
  for (const redis::Reply& reply : *replies) {
    if (!reply.IsError()) continue;
    link_.Report(reply.ToStatus());
    co_await link_.Pause();
    co_return;
  }
  link_.ResetPause();
  metrics_.ack_batch.Observe(static_cast<double>(sending_.size()));
  sending_.ForEach([this](const EntryKey& key) { in_flight_.Release(key); });
  sending_ = AckBuffer();
  in_flight_.NotifyRoom();
}

void Acknowledger::Hurry() {
  hurry_ = true;
  wakeup_.Wake();
}

void Acknowledger::Stop() {
  stopped_ = true;
  wakeup_.Wake();
  link_.Close();
}

}  // namespace postern::worker
