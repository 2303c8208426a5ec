#include "worker/redis_link.h"

#include <algorithm>
#include <utility>

#include "worker/limits.h"

namespace postern::worker {

namespace asio = boost::asio;

RedisLink::RedisLink(asio::any_io_executor executor, std::string purpose,
                     MakeSettings make_settings, prometheus::Counter& faults)
    : executor_(std::move(executor)),
      purpose_(std::move(purpose)),
      make_settings_(std::move(make_settings)),
      faults_(faults),
      wakeup_(executor_) {}

void RedisLink::Report(const absl::Status& fault) {
  faults_.Increment();
  if (!log_limit_.Allow()) return;
  log::Warn("redis_fault", "link", purpose_, "error", fault.ToString());
}

asio::awaitable<absl::Status> RedisLink::Connect() {
  connected_.store(false, std::memory_order_relaxed);
  auto settings = make_settings_();
  if (!settings.ok()) co_return settings.status();
  connection_ = std::make_unique<redis::Connection>(executor_);
  const absl::Status status = co_await connection_->Connect(*settings);
  if (!status.ok()) co_return status;
  connected_.store(true, std::memory_order_relaxed);
  log::Info("redis_connected", "link", purpose_, "host", settings->host, "port", settings->port);
  co_return status;
}

asio::awaitable<bool> RedisLink::Open() {
  while (!stopped_ && (connection_ == nullptr || !connection_->usable())) {
    const absl::Status status = co_await Connect();
    if (status.ok()) break;
    Report(status);
    co_await Pause();
  }
  co_return !stopped_;
}

asio::awaitable<absl::StatusOr<std::vector<redis::Reply>>> RedisLink::Exchange(
    std::string wire, std::size_t replies, std::chrono::milliseconds timeout) {
  const bool open = co_await Open();
  if (!open) co_return absl::CancelledError("stopped");
  auto result = co_await connection_->Exchange(std::move(wire), replies, timeout);
  if (!result.ok()) {
    connected_.store(false, std::memory_order_relaxed);
    if (stopped_) co_return absl::CancelledError("stopped");
    Report(result.status());
    co_await Pause();
  }
  co_return result;
}

asio::awaitable<void> RedisLink::Pause() {
  if (stopped_) co_return;
  pause_ = std::clamp(pause_ * 2, kReconnectFirst, kReconnectLast);
  std::uniform_int_distribution<std::int64_t> jitter(pause_.count() / 2, pause_.count());
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(jitter(random_));
  co_await wakeup_.WaitUntil(until);
}

void RedisLink::Stop() {
  stopped_ = true;
  wakeup_.Wake();
}

void RedisLink::Close() {
  Stop();
  if (connection_ != nullptr) connection_->Close();
}

}  // namespace postern::worker
