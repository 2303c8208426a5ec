#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "worker/redis_link.h"
#include "worker/wakeup.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Looks at the queue as a whole once a second, for the metrics, and deletes consumers of workers
// that have ended and hold nothing. All calls on one executor.
class QueueMonitor {
 public:
  QueueMonitor(const boost::asio::any_io_executor& executor, std::string consumer,
               RedisLink::MakeSettings make_settings, WorkerMetrics& metrics);

  // Runs until Stop; deletes this process's own consumer at the end, where it holds nothing.
  boost::asio::awaitable<void> Run();
  void Stop();
  bool stopped() const { return ended_; }
  void Close() { link_.Close(); }

 private:
  boost::asio::awaitable<void> Measure();
  void Publish(const std::vector<redis::Reply>& replies);
  // Deletes idle consumers without pending entries: the others', or this process's own one.
  boost::asio::awaitable<void> DeleteConsumers(bool own);

  const std::string consumer_;
  RedisLink link_;
  Wakeup wakeup_;
  WorkerMetrics& metrics_;
  bool stopped_ = false;
  bool ended_ = false;
};

}  // namespace postern::worker
