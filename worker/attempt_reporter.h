#pragma once

#include <grpcpp/grpcpp.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "postern/v1/delivery_service.grpc.pb.h"
#include "services/common/log/log.h"
#include "worker/queue_entry.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// Tells the main server about failed attempts, so that the register shows them. One call at a time;
// tried again while the server cannot take it. Bounded: past kMaxReports the newest are dropped and
// counted, which makes the register late and loses nothing. All calls on the io_context's thread.
class AttemptReporter {
 public:
  AttemptReporter(boost::asio::io_context& io, const std::shared_ptr<grpc::Channel>& channel,
                  WorkerMetrics& metrics);

  // Called for an entry that the server wants removed: its message is dead now, or was brought back
  // as another entry.
  void OnRemove(std::function<void(const EntryKey&)> on_remove) {
    on_remove_ = std::move(on_remove);
  }
  void Add(v1::FailedAttempt attempt);
  bool idle() const { return waiting_.empty() && !running_; }
  // Drops what is left, ends a running call; ends in `idle`.
  void Cancel();

 private:
  void Send();
  void OnDone(const grpc::Status& status);
  void SendAfterPause();
  void RemoveEntries() const;
  void Drop(std::size_t count, const grpc::Status& reason);

  boost::asio::io_context& io_;
  const std::unique_ptr<v1::DeliveryService::StubInterface> stub_;
  WorkerMetrics& metrics_;
  std::function<void(const EntryKey&)> on_remove_;
  std::deque<v1::FailedAttempt> waiting_;
  v1::ReportAttemptsRequest request_;  // Of the running call, or to be sent again.
  v1::ReportAttemptsResponse response_;
  std::unique_ptr<grpc::ClientContext> context_;
  boost::asio::steady_timer pause_timer_;
  bool running_ = false;  // A call, or a pause before it is sent again.
  bool cancelled_ = false;
  log::RateLimit log_limit_;
};

}  // namespace postern::worker
