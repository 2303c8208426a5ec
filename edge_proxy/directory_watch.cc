#include "edge_proxy/directory_watch.h"

#include <utility>

#include "edge_proxy/limits.h"
#include "services/common/log/log.h"

namespace postern::edge {

DirectoryWatch::DirectoryWatch(std::shared_ptr<grpc::Channel> channel, ClientDirectory& directory,
                               std::function<void()> on_change, metrics::Registry& metrics)
    : channel_(std::move(channel)),
      stub_(v1::ClientService::NewStub(channel_)),
      directory_(directory),
      on_change_(std::move(on_change)),
      clients_(metrics.Gauge("postern_directory_clients", "Clients in the directory.")),
      revision_(metrics.Gauge("postern_directory_revision", "Revision of the client directory.")) {}

DirectoryWatch::~DirectoryWatch() { Stop(); }

void DirectoryWatch::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DirectoryWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool DirectoryWatch::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool DirectoryWatch::Pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, duration, [this] { return stopping_; });
}

void DirectoryWatch::Run() {
  log::RateLimit limit(/*interval_ms=*/10'000);
  do {
    const grpc::Status status = WatchOnce();
    directory_.AbandonSteps();
    if (!stopping() && limit.Allow()) {
      log::Warn("directory_watch_ended", "code", static_cast<int>(status.error_code()), "reason",
                status.error_message());
    }
  } while (Pause(kWatchRetryPause));
}

grpc::Status DirectoryWatch::WatchOnce() {
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return grpc::Status::CANCELLED;
    context_ = &context;
  }
  v1::WatchClientsRequest request;
  request.set_after_revision(directory_.revision());
  const auto reader = stub_->WatchClients(&context, request);
  v1::WatchClientsResponse step;
  while (reader->Read(&step)) {
    directory_.Apply(step);
    on_change_();
    const auto snapshot = directory_.Current();
    clients_.Set(static_cast<double>(snapshot->clients()));
    revision_.Set(static_cast<double>(snapshot->revision()));
    log::Info("directory_changed", "revision", snapshot->revision(), "clients",
              snapshot->clients());
  }
  const grpc::Status status = reader->Finish();
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  return status;
}

}  // namespace postern::edge
