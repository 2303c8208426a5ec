#pragma once

#include <grpcpp/grpcpp.h>
#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "services/common/log/log.h"

namespace postern::rpc {

// Follows a stream of the server for ever, on a thread of its own: a stream that ends is opened
// again after a pause. Start once, Stop from any thread.
template <typename Response>
class StreamFollower {
 public:
  struct Callbacks {
    // Opens the stream, from wherever its last step led.
    std::function<std::unique_ptr<grpc::ClientReader<Response>>(grpc::ClientContext*)> open;
    std::function<void(const Response&)> on_step;
    std::function<void()> on_end;  // The stream has ended; may be null.
  };

  // `name`: of the thread, at most 15 characters, and of what is logged.
  StreamFollower(std::string name, std::chrono::milliseconds pause, Callbacks callbacks)
      : name_(std::move(name)), pause_(pause), callbacks_(std::move(callbacks)) {}
  ~StreamFollower() { Stop(); }
  StreamFollower(const StreamFollower&) = delete;
  StreamFollower& operator=(const StreamFollower&) = delete;

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  // Nothing is called any more once it returns. Idempotent.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (context_ != nullptr) context_->TryCancel();
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    pthread_setname_np(pthread_self(), name_.c_str());
    log::RateLimit limit(/*interval_ms=*/10'000);
    while (true) {
      const grpc::Status status = FollowOnce();
      if (callbacks_.on_end) callbacks_.on_end();
      std::unique_lock lock(mutex_);
      if (!stopping_ && limit.Allow()) {
        log::Warn("stream_ended", "stream", name_, "code", static_cast<int>(status.error_code()),
                  "reason", status.error_message());
      }
      if (wake_.wait_for(lock, pause_, [this] { return stopping_; })) return;
    }
  }

  grpc::Status FollowOnce() {
    grpc::ClientContext context;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return grpc::Status::CANCELLED;
      context_ = &context;
    }
    const auto reader = callbacks_.open(&context);
    Response step;
    while (reader->Read(&step)) callbacks_.on_step(step);
    const grpc::Status status = reader->Finish();
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
    return status;
  }

  const std::string name_;
  const std::chrono::milliseconds pause_;
  const Callbacks callbacks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  grpc::ClientContext* context_ = nullptr;
  std::thread thread_;
};

}  // namespace postern::rpc
