#include "services/messages/queue_client.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "services/messages/limits.h"

namespace postern::messages {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;
using Replies = absl::StatusOr<std::vector<redis::Reply>>;

constexpr std::chrono::seconds kReconnectInterval{1};

}  // namespace

class QueueClient::Impl {
 public:
  explicit Impl(redis::Settings settings)
      : settings_(std::move(settings)), work_(asio::make_work_guard(io_)), thread_([this] {
          pthread_setname_np(pthread_self(), "queue-client");
          sigset_t all;
          sigfillset(&all);
          pthread_sigmask(SIG_BLOCK, &all, nullptr);
          io_.run();
        }) {}

  Replies Exchange(std::string wire, std::size_t replies) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return absl::UnavailableError("queue: stopped");
    std::promise<Replies> promise;
    std::future<Replies> answer = promise.get_future();
    asio::co_spawn(io_, Run(std::move(wire), replies, std::move(promise)), asio::detached);
    return answer.get();
  }

  void Stop() {
    stopping_ = true;
    asio::post(io_, [this] {
      if (connection_ != nullptr) connection_->Close();
    });
    const std::lock_guard lock(mutex_);
    work_.reset();
    if (thread_.joinable()) thread_.join();
    connection_.reset();
  }

 private:
  asio::awaitable<void> Run(std::string wire, std::size_t replies, std::promise<Replies> promise) {
    absl::Status status = co_await Ready();
    if (!status.ok()) {
      promise.set_value(std::move(status));
      co_return;
    }
    Replies answer =
        co_await connection_->Exchange(std::move(wire), replies, kQueueExchangeTimeout);
    promise.set_value(std::move(answer));
  }

  asio::awaitable<absl::Status> Ready() {
    if (connection_ != nullptr && connection_->usable()) co_return absl::OkStatus();
    if (SteadyClock::now() < next_connect_)
      co_return absl::UnavailableError("queue: not connected");
    next_connect_ = SteadyClock::now() + kReconnectInterval;
    connection_ = std::make_unique<redis::Connection>(io_.get_executor());
    absl::Status status = co_await connection_->Connect(settings_);
    if (!status.ok()) connection_.reset();
    co_return status;
  }

  const redis::Settings settings_;
  std::mutex mutex_;  // One exchange at a time.
  std::atomic<bool> stopping_{false};
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  // On the io thread only.
  std::unique_ptr<redis::Connection> connection_;
  SteadyClock::time_point next_connect_{};
  std::thread thread_;
};

QueueClient::QueueClient(redis::Settings settings)
    : impl_(std::make_unique<Impl>(std::move(settings))) {}

QueueClient::~QueueClient() { Stop(); }

Replies QueueClient::Exchange(std::string wire, std::size_t replies) {
  return impl_->Exchange(std::move(wire), replies);
}

void QueueClient::Stop() { impl_->Stop(); }

}  // namespace postern::messages
