#pragma once

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <optional>
#include <utility>

#include "services/common/rpc/watchers.h"

namespace postern::rpc {

// Sends what a source has, step by step, to one caller, until the caller goes or the source stops
// (UNAVAILABLE). Each caller has a cursor of its own, so a slow one costs nothing but that. The
// source has `Watchers& watchers()` and `bool NextStep(Cursor&, Response&) const`, which fills the
// next step and moves the cursor, or says that there is none.
//
// Under its mutex it only decides what to do next; gRPC is called outside, as the last act of a
// function, because the object may be gone once the call is finished.
template <typename Response, typename Source, typename Cursor>
class WatchReactor final : public grpc::ServerWriteReactor<Response>, public Watcher {
 public:
  // Owns itself.
  static WatchReactor* Begin(Source& source, Cursor cursor) {
    auto* watch = new WatchReactor(source, std::move(cursor));
    if (source.watchers().Add(*watch)) {
      watch->Advance();
    } else {
      watch->OnStopped();
    }
    return watch;
  }

  void OnChanged() override { Advance(); }
  void OnStopped() override { End({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"}); }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok && !end_) end_ = grpc::Status::CANCELLED;
    }
    Advance();
  }
  void OnDone() override {
    source_.watchers().Remove(*this);
    delete this;
  }

 private:
  WatchReactor(Source& source, Cursor cursor) : source_(source), cursor_(std::move(cursor)) {}

  // Not while a write is under way: its end advances.
  void Advance() {
    std::optional<grpc::Status> finish;
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || finished_) return;
      if (end_) {
        finished_ = true;
        finish = end_;
      } else if (source_.NextStep(cursor_, step_)) {
        writing_ = true;
      } else {
        return;
      }
    }
    if (finish) {
      this->Finish(*std::move(finish));
    } else {
      this->StartWrite(&step_);
    }
  }

  void End(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (!end_) end_ = std::move(status);
    }
    Advance();
  }

  Source& source_;
  std::mutex mutex_;
  Cursor cursor_;
  Response step_;  // Belongs to gRPC while writing_.
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;
};

}  // namespace postern::rpc
