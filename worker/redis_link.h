#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/counter.h"
#include "services/common/log/log.h"
#include "services/common/redis/connection.h"
#include "worker/wakeup.h"

namespace postern::worker {

// A connection to Redis that is made anew whenever it broke. For one coroutine; all calls on its
// executor but `connected`.
class RedisLink {
 public:
  // Called for every try, so that new certificates and passwords are used.
  using MakeSettings = std::function<absl::StatusOr<redis::Settings>()>;

  // `purpose` names the link in the log.
  RedisLink(boost::asio::any_io_executor executor, std::string purpose, MakeSettings make_settings,
            prometheus::Counter& faults);

  // Waits until there is a connection. False after Stop.
  boost::asio::awaitable<bool> Open();
  // Sends once there is a connection, which it waits for. A failure was logged and counted, and
  // costs a pause: try again or give up. Cancelled after Stop.
  boost::asio::awaitable<absl::StatusOr<std::vector<redis::Reply>>> Exchange(
      std::string wire, std::size_t replies, std::chrono::milliseconds timeout);
  // Waits a growing time (kReconnectFirst to kReconnectLast); after a reply that says "not now".
  boost::asio::awaitable<void> Pause();
  // The last exchange was good: the next pause is short again.
  void ResetPause() { pause_ = std::chrono::milliseconds::zero(); }
  // Logs a fault, at most one line a second, and counts it.
  void Report(const absl::Status& fault);

  // Ends pauses and refuses new exchanges; a running one goes on to its end.
  void Stop();
  // Ends a running exchange too.
  void Close();
  // Thread-safe.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  boost::asio::awaitable<absl::Status> Connect();

  const boost::asio::any_io_executor executor_;
  const std::string purpose_;
  const MakeSettings make_settings_;
  prometheus::Counter& faults_;
  std::unique_ptr<redis::Connection> connection_;
  Wakeup wakeup_;
  std::chrono::milliseconds pause_{0};
  std::minstd_rand random_{std::random_device{}()};
  log::RateLimit log_limit_;
  std::atomic<bool> connected_{false};
  bool stopped_ = false;
};

}  // namespace postern::worker
