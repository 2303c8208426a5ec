#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "postern/v1/delivery_service.grpc.pb.h"
#include "services/common/log/log.h"
#include "worker/acknowledger.h"
#include "worker/attempt_reporter.h"
#include "worker/delivery_batch.h"
#include "worker/in_flight.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Delivers entries to the main server, many in a call and several calls at a time. Each entry ends
// in one of three ways: acknowledged (delivered or dead), given back (a failed attempt: it stays
// pending in Redis and is claimed after the retry interval), or kept, while the server cannot be
// reached. A call that takes too long makes those after it smaller, until they succeed. All calls
// on the io_context's thread, but `server_away`.
class Deliverer {
 public:
  struct Options {
    std::size_t batch_max = 1;
    std::chrono::milliseconds retry_interval{0};
  };
  // All references must outlive it; so must the io_context's run, until `idle`.
  Deliverer(boost::asio::io_context& io, const std::shared_ptr<grpc::Channel>& channel,
            Options options, InFlight& in_flight, Acknowledger& acknowledger,
            AttemptReporter& reporter, WorkerMetrics& metrics);

  // Takes entries over and copies what it needs. Those in hand already are left out: returns how
  // many were not.
  std::size_t Deliver(const std::vector<QueueEntry>& entries, Origin origin);
  // Called when the server can be reached again.
  void OnServerBack(std::function<void()> on_server_back) {
    on_server_back_ = std::move(on_server_back);
  }
  // The last call did not reach a ready server. Thread-safe.
  bool server_away() const { return server_away_.load(std::memory_order_relaxed); }

  bool idle() const { return running_.empty() && ready_.empty() && filling_ == nullptr; }
  // Gives back what is not sent, ends running calls; what they held stays pending in Redis. Ends in
  // `idle`.
  void Cancel();

 private:
  using Batch = std::unique_ptr<DeliveryBatch>;

  bool Add(const QueueEntry& entry, Origin origin, std::chrono::steady_clock::time_point taken_at);
  DeliveryBatch& Filling();
  Batch EmptyBatch();
  Batch NextBatch();
  void SendReady();
  void Send(Batch batch);
  Batch TakeRunning(DeliveryBatch* batch);
  void OnDone(DeliveryBatch* raw, const grpc::Status& status);
  void TryServerAgain();
  void OnServerAway(Batch batch, const grpc::Status& status);
  void AskForLess(std::size_t failed);
  void AskForMore(std::size_t taken);
  void OnAnswer(DeliveryBatch& batch);
  void OnFailure(DeliveryBatch& batch, const std::string& reason);
  void Delivered(DeliveryBatch& batch, int index, std::int64_t now_us);
  void Retry(DeliveryBatch& batch, int index, const std::string& reason, std::int64_t now_us);
  void GiveBack(DeliveryBatch& batch);
  void Recycle(Batch batch);

  boost::asio::io_context& io_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DeliveryService::StubInterface> stub_;
  const Options options_;
  const std::chrono::milliseconds call_time_;
  InFlight& in_flight_;
  Acknowledger& acknowledger_;
  AttemptReporter& reporter_;
  WorkerMetrics& metrics_;
  std::function<void()> on_server_back_;

  // Messages in a call: fewer than batch_max after calls that took too long.
  std::size_t batch_limit_;
  Batch filling_;            // Open for more; not empty.
  std::deque<Batch> ready_;  // Full or sent before, waiting for a call; none is empty.
  std::vector<Batch> running_;
  std::vector<Batch> spare_;
  boost::asio::steady_timer pause_timer_;
  std::chrono::milliseconds pause_{0};
  bool pausing_ = false;
  bool cancelled_ = false;
  std::atomic<bool> server_away_{false};
  log::RateLimit log_limit_;
};

}  // namespace postern::worker
