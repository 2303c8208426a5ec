#include "edge_proxy/queue_monitor.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "edge_proxy/limits.h"
#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/redis/safety.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
using Faults = absl::StatusOr<redis::Faults>;

asio::awaitable<void> CheckOnce(const redis::Settings& settings, Faults& result) {
  const auto executor = co_await asio::this_coro::executor;
  redis::Connection connection(executor);
  const absl::Status connected = co_await connection.Connect(settings);
  if (!connected.ok()) {
    result = connected;
    co_return;
  }
  result = co_await redis::UnsafeSettings(connection);
}

}  // namespace

Faults CheckQueueNow(const redis::Settings& settings) {
  asio::io_context io(1);
  Faults result = absl::UnknownError("not looked");
  asio::co_spawn(io, CheckOnce(settings, result), asio::detached);
  io.run();
  return result;
}

QueueMonitor::QueueMonitor(asio::io_context& io, redis::Settings settings,
                           redis::QueueSafety& safety, metrics::Registry& metrics)
    : io_(io), settings_(std::move(settings)), safety_(safety), timer_(io) {
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    depth_.push_back(&metrics.Gauge("postern_queue_depth", "Entries in the stream.",
                                    {{"stream", redis::StreamKey(shard)}}));
  }
}

void QueueMonitor::Start() { asio::co_spawn(io_, Run(), asio::detached); }

void QueueMonitor::Stop() {
  stopping_ = true;
  timer_.cancel();
  if (connection_ != nullptr) connection_->Close();
}

asio::awaitable<void> QueueMonitor::Run() {
  while (!stopping_) {
    redis::Connection connection(io_.get_executor());
    connection_ = &connection;
    absl::Status status = co_await connection.Connect(settings_);
    while (status.ok() && !stopping_) {
      status = co_await Look(connection);
      co_await Sleep();
    }
    connection_ = nullptr;
    // Lanes look for themselves when they connect again, so nothing is concluded from a lost
    // connection.
    co_await Sleep();
  }
}

asio::awaitable<absl::Status> QueueMonitor::Look(redis::Connection& connection) {
  const Faults faults = co_await redis::UnsafeSettings(connection);
  if (!faults.ok()) co_return faults.status();
  safety_.Set(*faults);
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "XLEN", redis::StreamKey(shard));
  }
  const auto lengths =
      co_await connection.Exchange(std::move(wire), redis::kShards, kExchangeTimeout);
  if (!lengths.ok()) co_return lengths.status();
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    const redis::Reply& reply = (*lengths)[shard];
    if (reply.IsInteger()) depth_[shard]->Set(static_cast<double>(reply.integer()));
  }
  co_return absl::OkStatus();
}

asio::awaitable<void> QueueMonitor::Sleep() {
  if (stopping_) co_return;
  timer_.expires_after(redis::kSafetyCheckInterval);
  [[maybe_unused]] const auto [error] = co_await timer_.async_wait(kTuple);
}

}  // namespace postern::edge
