#pragma once

#include <atomic>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "edge_proxy/durable_message.h"
#include "edge_proxy/queue_metrics.h"
#include "edge_proxy/queue_safety.h"
#include "services/common/base/uuid.h"
#include "services/common/redis/connection.h"

namespace postern::edge {

// Puts one lane's messages into the queue, over one Redis connection of its own (group commit):
// messages that come together share a pipeline and its fsync. The first of a quiet moment goes at
// once; after it, pipelines start at least `flush_interval` apart, more while deliveries lag. The
// connection is opened again by itself, tried while idle, and given up when an exchange takes
// longer than kExchangeTimeout. All calls on the lane's thread unless stated.
class Enqueuer {
 public:
  struct Settings {
    redis::Settings redis;
    std::chrono::microseconds flush_interval{2000};
    // How old the oldest registration under way is, 0 for none: see flush_pace.h. On the lane's
    // thread.
    std::function<std::chrono::milliseconds()> registration_age;
  };

  // `io` is the lane's; `safety` and `metrics` must outlive this.
  Enqueuer(boost::asio::io_context& io, Settings settings, QueueSafety& safety,
           OnDurable on_durable, QueueMetrics& metrics);
  Enqueuer(const Enqueuer&) = delete;
  Enqueuer& operator=(const Enqueuer&) = delete;

  // Begins to connect once the lane runs. Any thread.
  void Start();
  // Closes the connection; what waits is answered Unavailable.
  void Stop();

  // Completes with OK once Redis has the entry on disk, and never before. Unavailable when there is
  // no connection, it broke (then the entry may be there all the same), Redis refused the entry,
  // its settings are unsafe, or too much waits already.
  boost::asio::awaitable<absl::Status> Append(std::uint32_t shard, const Uuid& id,
                                              std::string envelope);

  // Any thread.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  using Handler = boost::asio::any_completion_handler<void(absl::Status)>;
  struct Waiter {
    Uuid id;
    std::uint32_t shard;
    Clock::time_point since;
    std::string envelope;
    Handler handler;
  };

  // OK when the message may wait; counts the refusal otherwise.
  absl::Status Admit(std::size_t bytes);
  void Push(std::uint32_t shard, const Uuid& id, std::string envelope, Handler handler);

  boost::asio::awaitable<void> Run();
  boost::asio::awaitable<absl::Status> Open(redis::Connection& connection);
  // Sends pipelines until the connection breaks.
  boost::asio::awaitable<absl::Status> Pump(redis::Connection& connection);
  boost::asio::awaitable<absl::Status> Flush(redis::Connection& connection);
  boost::asio::awaitable<absl::Status> Ping(redis::Connection& connection);
  // True when something waits, false when nothing came for kIdlePingInterval.
  boost::asio::awaitable<bool> AwaitWork();
  boost::asio::awaitable<void> Sleep(Clock::time_point until);

  std::vector<Waiter> TakePipeline();
  void Settle(std::vector<Waiter>& pipeline, const std::vector<redis::Reply>& replies);
  static void Fail(std::vector<Waiter>& waiters, const absl::Status& status);
  void Disconnected(const absl::Status& status);

  boost::asio::io_context& io_;
  const Settings settings_;
  QueueSafety& safety_;
  const OnDurable on_durable_;
  QueueMetrics& metrics_;

  std::vector<Waiter> waiting_;
  std::size_t waiting_bytes_ = 0;  // Of what waits and what is in the pipeline.
  Clock::time_point last_flush_;
  boost::asio::steady_timer timer_;
  bool idle_ = false;  // The pump sleeps until something comes.
  bool stopping_ = false;
  redis::Connection* connection_ = nullptr;
  std::atomic<bool> connected_{false};
};

}  // namespace postern::edge
