#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "services/common/redis/queue_layout.h"
#include "worker/delivery.h"
#include "worker/in_flight.h"
#include "worker/redis_link.h"
#include "worker/wakeup.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Takes entries again that stayed pending for the retry interval: failed attempts, and what a dead
// worker had in hand. Looks at all shards together, well more often than the interval. All calls on
// one executor.
class Claimer {
 public:
  struct Options {
    std::string consumer;
    std::chrono::milliseconds retry_interval{0};
  };
  Claimer(const boost::asio::any_io_executor& executor, Options options,
          RedisLink::MakeSettings make_settings, InFlight& in_flight, Deliverer& deliverer,
          WorkerMetrics& metrics);

  // Runs until Stop.
  boost::asio::awaitable<void> Run();
  void Stop();
  bool stopped() const { return ended_; }
  void Close() { link_.Close(); }

 private:
  // Where the next look at a shard begins; empty: at the end of this pass.
  using Cursors = std::array<std::string, redis::kShards>;

  boost::asio::awaitable<void> Pass();
  boost::asio::awaitable<void> TakeFutureEntries();
  // One look at each shard that has not ended. False when the pass cannot go on.
  boost::asio::awaitable<bool> Round(Cursors& cursors);
  std::size_t AppendCommands(const Cursors& cursors, std::string& wire) const;
  bool TakeReply(const redis::Reply& reply, std::uint32_t shard, std::string& cursor);

  const Options options_;
  RedisLink link_;
  Wakeup wakeup_;
  InFlight& in_flight_;
  Deliverer& deliverer_;
  WorkerMetrics& metrics_;
  std::vector<QueueEntry> entries_;
  bool stopped_ = false;
  bool ended_ = false;
};

}  // namespace postern::worker
