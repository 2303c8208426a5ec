#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/metrics/metrics.h"
#include "services/common/redis/connection.h"
#include "services/common/redis/queue_safety.h"

namespace postern::edge {

// Looks once: the settings of Redis that can lose messages, as redis::UnsafeSettings. Blocks for as
// long as connecting takes; for the start of the program.
absl::StatusOr<redis::Faults> CheckQueueNow(const redis::Settings& settings);

// Looks at Redis twice a second over a connection of its own: its settings go to `safety`, the
// lengths of the streams to `postern_queue_depth`. One per process, on one lane's thread.
class QueueMonitor {
 public:
  QueueMonitor(boost::asio::io_context& io, redis::Settings settings, redis::QueueSafety& safety,
               metrics::Registry& metrics);
  void Start();
  // On the lane's thread.
  void Stop();

 private:
  boost::asio::awaitable<void> Run();
  boost::asio::awaitable<absl::Status> Look(redis::Connection& connection);
  boost::asio::awaitable<void> Sleep();

  boost::asio::io_context& io_;
  const redis::Settings settings_;
  redis::QueueSafety& safety_;
  std::vector<prometheus::Gauge*> depth_;  // By shard.
  boost::asio::steady_timer timer_;
  redis::Connection* connection_ = nullptr;
  bool stopping_ = false;
};

}  // namespace postern::edge
