#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <span>
#include <string>

#include "services/common/redis/queue_safety.h"
#include "worker/limits.h"
#include "worker/redis_link.h"
#include "worker/wakeup.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Looks at the queue as a whole twice a second: its settings go to `safety`, its length to the
// metrics. Deletes consumers of workers that have ended and hold nothing. All calls on one
// executor.
class QueueMonitor {
 public:
  struct Options {
    std::string consumer;  // This process's own.
    // A consumer that holds nothing is deleted when it was silent for so long.
    std::chrono::milliseconds stale_after = kStaleConsumer;
    std::chrono::milliseconds stale_period = kStaleConsumerPeriod;
  };
  QueueMonitor(const boost::asio::any_io_executor& executor, Options options,
               RedisLink::MakeSettings make_settings, redis::QueueSafety& safety,
               WorkerMetrics& metrics);

  // Runs until Stop; deletes this process's own consumer at the end, where it holds nothing.
  boost::asio::awaitable<void> Run();
  void Stop();
  bool stopped() const { return ended_; }
  void Close() { link_.Close(); }

 private:
  boost::asio::awaitable<void> Measure();
  void Publish(std::span<const redis::Reply> replies);
  // Deletes idle consumers without pending entries: the others', or this process's own one.
  boost::asio::awaitable<void> DeleteConsumers(bool own);

  const Options options_;
  RedisLink link_;
  Wakeup wakeup_;
  redis::QueueSafety& safety_;
  WorkerMetrics& metrics_;
  bool stopped_ = false;
  bool ended_ = false;
};

}  // namespace postern::worker
