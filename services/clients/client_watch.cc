#include "services/clients/client_watch.h"

#include <mutex>
#include <optional>
#include <utility>

namespace postern::clients {
namespace {

// One watch. Under its mutex it only decides what to do next; gRPC is called outside, as the last
// act of a function, because the object may be gone once the call is finished.
class ClientWatch final : public grpc::ServerWriteReactor<v1::WatchClientsResponse>,
                          public DirectoryWatcher {
 public:
  ClientWatch(ClientDirectory& directory, std::int64_t after_revision)
      : directory_(directory), cursor_(directory.CursorAfter(after_revision)) {}

  void Begin() {
    if (directory_.Watch(*this)) {
      Advance();
    } else {
      OnStopped();
    }
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
    directory_.Unwatch(*this);
    delete this;
  }

 private:
  // Not while a write is under way: its end advances.
  void Advance() {
    std::optional<grpc::Status> finish;
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || finished_) return;
      if (end_) {
        finished_ = true;
        finish = end_;
      } else if (directory_.NextStep(cursor_, step_)) {
        writing_ = true;
      } else {
        return;
      }
    }
    if (finish) {
      Finish(*std::move(finish));
    } else {
      StartWrite(&step_);
    }
  }

  void End(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (!end_) end_ = std::move(status);
    }
    Advance();
  }

  ClientDirectory& directory_;
  std::mutex mutex_;
  DirectoryCursor cursor_;
  v1::WatchClientsResponse step_;  // Belongs to gRPC while writing_.
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchClientsResponse>* StartClientWatch(ClientDirectory& directory,
                                                                     std::int64_t after_revision) {
  auto* watch = new ClientWatch(directory, after_revision);
  watch->Begin();
  return watch;
}

}  // namespace postern::clients
