#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "worker/delivery.h"
#include "worker/in_flight.h"
#include "worker/redis_link.h"
#include "worker/wakeup.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Takes new entries from all shards, each shard its part of the room there is, and hands them to
// the deliverer. The first of a quiet moment goes at once; after it reads are spaced, so that they
// find several. Creates the consumer group where it is missing, also after a flush of Redis. All
// calls on one executor.
class QueueReader {
 public:
  struct Options {
    std::string consumer;
    std::chrono::milliseconds read_interval{0};
  };
  QueueReader(const boost::asio::any_io_executor& executor, Options options,
              RedisLink::MakeSettings make_settings, InFlight& in_flight, Deliverer& deliverer,
              WorkerMetrics& metrics);

  // Runs until Stop. Reads nothing while the server is away.
  boost::asio::awaitable<void> Run();
  // There is room again, or the server is back.
  void Wake() { wakeup_.Wake(); }
  // Takes nothing more; a running read goes on to its end (kReadBlock), since what it brings is
  // this consumer's already.
  void Stop();
  bool stopped() const { return ended_; }
  // Cuts a running read.
  void Close() { link_.Close(); }
  bool connected() const { return link_.connected(); }

 private:
  std::string ReadCommand() const;
  bool MayRead() const;
  boost::asio::awaitable<absl::Status> CreateGroups();
  // How many entries it found.
  boost::asio::awaitable<absl::StatusOr<std::size_t>> Read();
  boost::asio::awaitable<void> Step();
  void ObserveWait() const;

  const Options options_;
  RedisLink link_;
  Wakeup wakeup_;
  InFlight& in_flight_;
  Deliverer& deliverer_;
  WorkerMetrics& metrics_;
  std::vector<QueueEntry> entries_;
  bool groups_exist_ = false;
  bool stopped_ = false;
  bool ended_ = false;
};

}  // namespace postern::worker
