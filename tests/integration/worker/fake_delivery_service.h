#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "postern/v1/delivery_service.grpc.pb.h"
#include "services/common/rpc/credentials.h"

namespace postern::test {

// A main server that only delivers, as the test tells it to. Thread-safe.
class FakeDeliveryService final : public v1::DeliveryService::CallbackService {
 public:
  // Decides about one delivery.
  using Decide = std::function<v1::DeliveryOutcome(const v1::Delivery&)>;
  // Decides about a whole call, before its deliveries are looked at.
  using DecideCall = std::function<grpc::Status()>;

  void SetDecide(Decide decide) {
    const std::lock_guard lock(mutex_);
    decide_ = std::move(decide);
  }
  void SetDecideCall(DecideCall decide_call) {
    const std::lock_guard lock(mutex_);
    decide_call_ = std::move(decide_call);
  }

  // Calls with more messages take too long.
  void SetInTimeMax(int messages) {
    const std::lock_guard lock(mutex_);
    in_time_max_ = messages;
  }

  static v1::DeliveryOutcome Outcome(v1::DeliveryResult result, const std::string& reason = "") {
    v1::DeliveryOutcome outcome;
    outcome.set_result(result);
    outcome.set_reason(reason);
    return outcome;
  }

  // How many messages came more than once; calls that were refused do not count.
  std::ptrdiff_t Repeated() const {
    const std::lock_guard lock(mutex_);
    return std::count_if(received_.begin(), received_.end(),
                         [](const auto& message) { return message.second > 1; });
  }
  // How many different messages came.
  std::size_t ReceivedMessages() const {
    const std::lock_guard lock(mutex_);
    return received_.size();
  }
  std::vector<std::string> Unreadable() const {
    const std::lock_guard lock(mutex_);
    return unreadable_;
  }
  // Each reported attempt was its message's last.
  void SetRemoveReported() {
    const std::lock_guard lock(mutex_);
    remove_reported_ = true;
  }
  std::vector<v1::FailedAttempt> Attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  int LargestBatch() const {
    const std::lock_guard lock(mutex_);
    return largest_batch_;
  }

 private:
  grpc::ServerUnaryReactor* DeliverMessages(grpc::CallbackServerContext* context,
                                            const v1::DeliverMessagesRequest* request,
                                            v1::DeliverMessagesResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex_);
    grpc::Status status = decide_call_ ? decide_call_() : grpc::Status::OK;
    if (request->deliveries_size() > in_time_max_) {
      status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "");
    }
    if (status.ok()) {
      for (const v1::Delivery& delivery : request->deliveries()) {
        Take(delivery, *response->add_outcomes());
      }
      largest_batch_ = std::max(largest_batch_, request->deliveries_size());
    }
    reactor->Finish(status);
    return reactor;
  }

  void Take(const v1::Delivery& delivery, v1::DeliveryOutcome& outcome) {
    if (delivery.envelope().id().empty()) {
      unreadable_.push_back(delivery.unreadable_entry());
      outcome = Outcome(v1::DELIVERY_RESULT_DEAD, "UNREADABLE_ENTRY");
      return;
    }
    ++received_[delivery.envelope().id()];
    outcome = decide_ ? decide_(delivery) : Outcome(v1::DELIVERY_RESULT_DELIVERED);
  }

  grpc::ServerUnaryReactor* ReportAttempts(grpc::CallbackServerContext* context,
                                           const v1::ReportAttemptsRequest* request,
                                           v1::ReportAttemptsResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex_);
    attempts_.insert(attempts_.end(), request->attempts().begin(), request->attempts().end());
    for (int i = 0; remove_reported_ && i < request->attempts_size(); ++i) response->add_remove(i);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  mutable std::mutex mutex_;
  Decide decide_;
  DecideCall decide_call_;
  int in_time_max_ = std::numeric_limits<int>::max();
  std::map<std::string, int> received_;  // How often, by id.
  std::vector<std::string> unreadable_;
  bool remove_reported_ = false;
  std::vector<v1::FailedAttempt> attempts_;
  int largest_batch_ = 0;
};

// The service behind a port of its own, over mutual TLS. It can end and come back on the same port.
class FakeServer {
 public:
  FakeServer(FakeDeliveryService& service, tls::Files files)
      : service_(service), files_(std::move(files)) {}
  ~FakeServer() { Stop(); }

  // False when the port is taken.
  bool Start() {
    grpc::ServerBuilder builder;
    rpc::SetServerLimits(builder);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_), *rpc::ServerCredentials(files_),
                             &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    return server_ != nullptr;
  }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  FakeDeliveryService& service_;
  const tls::Files files_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace postern::test
