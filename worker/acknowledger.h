#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "worker/ack_buffer.h"
#include "worker/in_flight.h"
#include "worker/redis_link.h"
#include "worker/wakeup.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Removes delivered and dead entries from the queue, gathered over kAckInterval. What could not be
// removed because Redis is away is kept and tried again: removing twice does no harm. It holds at
// most what is in flight. All calls on one executor.
class Acknowledger {
 public:
  Acknowledger(const boost::asio::any_io_executor& executor, RedisLink::MakeSettings make_settings,
               InFlight& in_flight, WorkerMetrics& metrics);

  void Add(const EntryKey& key);
  // Runs until Stop.
  boost::asio::awaitable<void> Run();
  // No waiting for more from now on.
  void Hurry();
  bool idle() const { return waiting_.empty() && sending_.empty(); }
  // Gives up what is left: it stays pending in Redis.
  void Stop();
  bool connected() const { return link_.connected(); }

 private:
  boost::asio::awaitable<void> Flush();

  RedisLink link_;
  Wakeup wakeup_;
  InFlight& in_flight_;
  WorkerMetrics& metrics_;
  AckBuffer waiting_;
  AckBuffer sending_;
  bool hurry_ = false;
  bool stopped_ = false;
};

}  // namespace postern::worker
