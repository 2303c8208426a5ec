#include "edge_proxy/enqueuer.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <iterator>
#include <random>
#include <utility>

#include "edge_proxy/flush_pace.h"
#include "edge_proxy/limits.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/redis/command.h"
#include "services/common/redis/safety.h"
#include "services/common/redis/transaction.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// Edges that lost the same Redis do not come back all at once.
std::chrono::milliseconds ReconnectPause() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  std::uniform_int_distribution<std::int64_t> pick(kReconnectPauseMin.count(),
                                                   kReconnectPauseMax.count());
  return std::chrono::milliseconds(pick(generator));
}

}  // namespace

Enqueuer::Enqueuer(asio::io_context& io, Settings settings, redis::QueueSafety& safety,
                   OnDurable on_durable, QueueMetrics& metrics)
    : io_(io),
      settings_(std::move(settings)),
      safety_(safety),
      on_durable_(std::move(on_durable)),
      metrics_(metrics),
      timer_(io) {}

void Enqueuer::Start() { asio::co_spawn(io_, Run(), asio::detached); }

void Enqueuer::Stop() {
  stopping_ = true;
  timer_.cancel();
  if (connection_ != nullptr) connection_->Close();
  Disconnected(absl::UnavailableError("the edge is shutting down"));
}

absl::Status Enqueuer::Admit(std::size_t messages, std::size_t bytes) {
  if (!connected()) {
    metrics_.errors(EnqueueFault::kDisconnected).Increment(static_cast<double>(messages));
    return absl::UnavailableError("there is no connection to the queue");
  }
  if (!safety_.safe()) {
    metrics_.errors(EnqueueFault::kUnsafe).Increment(static_cast<double>(messages));
    return absl::UnavailableError("the queue's settings can lose messages");
  }
  if (waiting_.size() + messages > kWaitingMessagesMax ||
      waiting_bytes_ + bytes > kWaitingBytesMax) {
    metrics_.errors(EnqueueFault::kOverloaded).Increment(static_cast<double>(messages));
    return absl::UnavailableError("too many messages wait for the queue");
  }
  return absl::OkStatus();
}

asio::awaitable<absl::Status> Enqueuer::Append(std::uint32_t shard, const Uuid& id,
                                               std::string envelope) {
  auto initiate = [this](auto handler, std::uint32_t to, const Uuid& message, std::string bytes) {
    Push(to, message, std::move(bytes), Completion(std::move(handler)));
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(absl::Status)>(
      std::move(initiate), asio::use_awaitable, shard, id, std::move(envelope));
}

asio::awaitable<std::vector<SubmitResult>> Enqueuer::Submit(std::uint32_t shard,
                                                            std::vector<Submission> submissions) {
  std::vector<SubmitResult> results(submissions.size());
  auto initiate = [this, shard, &submissions, &results](auto handler) {
    PushAll(shard, submissions, results, Completion(std::move(handler)));
  };
  const absl::Status refused =
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(absl::Status)>(
          std::move(initiate), asio::use_awaitable);
  if (!refused.ok()) {
    for (SubmitResult& result : results) result.status = refused;
  }
  co_return results;
}

void Enqueuer::Refuse(absl::Status status, Completion handler) {
  asio::post(io_, [handler = std::move(handler), status = std::move(status)]() mutable {
    std::move(handler)(std::move(status));
  });
}

void Enqueuer::Wake() {
  if (!idle_) return;
  // The pump goes on behind what is ready to run already, so that requests that came together go
  // together.
  idle_ = false;
  timer_.cancel();
}

void Enqueuer::Push(std::uint32_t shard, const Uuid& id, std::string envelope, Completion handler) {
  absl::Status admitted = Admit(1, envelope.size());
  if (!admitted.ok()) return Refuse(std::move(admitted), std::move(handler));
  waiting_bytes_ += envelope.size();
  Waiter waiter{id, shard, Clock::now(), std::move(envelope), std::move(handler), nullptr};
  waiting_.push_back(std::move(waiter));
  Wake();
}

void Enqueuer::PushAll(std::uint32_t shard, std::vector<Submission>& submissions,
                       std::vector<SubmitResult>& results, Completion handler) {
  std::size_t bytes = 0;
  for (const Submission& submission : submissions) bytes += submission.envelope.size();
  absl::Status admitted = Admit(submissions.size(), bytes);
  if (!admitted.ok() || submissions.empty()) {
    return Refuse(std::move(admitted), std::move(handler));
  }
  waiting_bytes_ += bytes;
  auto batch = std::make_shared<Batch>();
  batch->left = submissions.size();
  batch->handler = std::move(handler);
  const Clock::time_point now = Clock::now();
  for (std::size_t i = 0; i < submissions.size(); ++i) {
    Submission& submission = submissions[i];
    auto terms = std::make_unique<Terms>();
    terms->terms = std::move(submission.terms);
    terms->result = &results[i];
    terms->batch = batch;
    Waiter waiter{submission.id, shard,           now, std::move(submission.envelope),
                  Completion(),  std::move(terms)};
    waiting_.push_back(std::move(waiter));
  }
  Wake();
}

asio::awaitable<void> Enqueuer::Run() {
  log::RateLimit limit(/*interval_ms=*/5'000);
  while (!stopping_) {
    redis::Connection connection(io_.get_executor());
    connection_ = &connection;
    absl::Status status = co_await Open(connection);
    if (status.ok() && !stopping_) {
      connected_ = true;
      metrics_.connects.Increment();
      log::Info("queue_connected", "host", settings_.redis.host, "port", settings_.redis.port);
      status = co_await Pump(connection);
    }
    connection_ = nullptr;
    Disconnected(status);
    if (stopping_) co_return;
    if (limit.Allow()) log::Warn("queue_disconnected", "reason", status.message());
    co_await Sleep(Clock::now() + ReconnectPause());
  }
}

asio::awaitable<absl::Status> Enqueuer::Open(redis::Connection& connection) {
  known_scripts_ = {};
  key_allowance_.Clear();
  const absl::Status connected = co_await connection.Connect(settings_.redis);
  if (!connected.ok()) co_return connected;
  // Redis may have come back with other settings: looked at before the first message goes to it.
  const auto faults = co_await redis::UnsafeSettings(connection);
  if (!faults.ok()) co_return faults.status();
  safety_.Set(*faults);
  co_return co_await TryTransaction(connection);
}

// An account that may not begin a transaction would execute the commands of one all the same.
asio::awaitable<absl::Status> Enqueuer::TryTransaction(redis::Connection& connection) {
  std::string wire;
  redis::BeginTransaction(wire);
  redis::EndTransaction(wire);
  const auto replies =
      co_await connection.Exchange(std::move(wire), redis::kTransactionReplies, kExchangeTimeout);
  if (!replies.ok()) co_return replies.status();
  co_return redis::CommandReplies(*replies).status();
}

asio::awaitable<absl::Status> Enqueuer::Pump(redis::Connection& connection) {
  while (!stopping_) {
    absl::Status status;
    if (waiting_.empty() && !co_await AwaitWork()) {
      status = co_await Ping(connection);
    } else if (!stopping_) {
      const Clock::time_point due =
          last_flush_ + FlushInterval(settings_.flush_interval, last_pipeline_messages_,
                                      settings_.registration_age());
      if (Clock::now() < due) co_await Sleep(due);
      if (!waiting_.empty()) status = co_await Flush(connection);
    }
    if (!status.ok()) co_return status;
  }
  co_return absl::OkStatus();
}

asio::awaitable<bool> Enqueuer::AwaitWork() {
  idle_ = true;
  timer_.expires_after(kIdlePingInterval);
  [[maybe_unused]] const auto [error] = co_await timer_.async_wait(kTuple);
  idle_ = false;
  co_return stopping_ || !waiting_.empty();
}

asio::awaitable<void> Enqueuer::Sleep(Clock::time_point until) {
  timer_.expires_at(until);
  [[maybe_unused]] const auto [error] = co_await timer_.async_wait(kTuple);
}

asio::awaitable<absl::Status> Enqueuer::Ping(redis::Connection& connection) {
  std::string wire;
  redis::AppendCommand(wire, "PING");
  const auto replies = co_await connection.Exchange(std::move(wire), 1, kExchangeTimeout);
  co_return replies.status();
}

asio::awaitable<absl::Status> Enqueuer::Flush(redis::Connection& connection) {
  last_flush_ = Clock::now();
  std::vector<Waiter> pipeline = TakePipeline();
  last_pipeline_messages_ = pipeline.size();
  std::size_t bytes = 0;
  for (const Waiter& waiter : pipeline) bytes += waiter.envelope.size();
  Commands commands = CommandsOf(pipeline);
  ReportWaiting(pipeline.size() + waiting_.size());
  const std::size_t count = commands.messages.size() + redis::kTransactionReplies;
  auto replies = co_await connection.Exchange(std::move(commands.wire), count, kExchangeTimeout);
  waiting_bytes_ -= bytes;
  ReportWaiting(waiting_.size());
  if (!replies.ok()) {
    const auto fault = absl::IsDeadlineExceeded(replies.status()) ? EnqueueFault::kTimeout
                                                                  : EnqueueFault::kDisconnected;
    metrics_.errors(fault).Increment(static_cast<double>(pipeline.size()));
    // Before the callers hear of it: what they send next must not wait on a broken connection.
    connected_ = false;
    Fail(pipeline, absl::UnavailableError("the connection to the queue broke"));
    co_return replies.status();
  }
  if (replies->front().IsError()) {
    // Then each command was one by itself, and what became of them is not known.
    connected_ = false;
    Fail(pipeline, absl::UnavailableError("the queue takes no transactions"));
    co_return replies->front().ToStatus();
  }
  auto answers = redis::CommandReplies(*replies);
  if (answers.ok()) {
    MeasureRate(pipeline.size());
    Settle(pipeline, RepliesOf(commands, *answers));
  } else {
    Refused(pipeline, answers.status());
  }
  co_return absl::OkStatus();
}

void Enqueuer::MeasureRate(std::size_t messages) {
  // A new pipeline begins no earlier than this after the last.
  const std::chrono::duration<double> took =
      std::max<Clock::duration>(Clock::now() - last_flush_, settings_.flush_interval);
  const double now = static_cast<double>(messages) / std::max(took.count(), 1e-6);
  constexpr double kWeight = 0.2;
  per_second_ = per_second_ == 0 ? now : (1 - kWeight) * per_second_ + kWeight * now;
}

std::int64_t Enqueuer::RetryAfterSeconds() const {
  if (per_second_ == 0) return kRetryAfterSeconds;
  const double seconds = std::ceil(static_cast<double>(waiting_.size()) / per_second_);
  return std::clamp(static_cast<std::int64_t>(std::min(seconds, 1e6)), kRetryAfterSeconds,
                    kRetryAfterMaxSeconds);
}

void Enqueuer::ReportWaiting(std::size_t waiting) {
  // The gauge is the sum over the lanes.
  metrics_.waiting.Increment(static_cast<double>(waiting) - static_cast<double>(waiting_reported_));
  waiting_reported_ = waiting;
}

void Enqueuer::Disconnected(const absl::Status& status) {
  connected_ = false;
  std::vector<Waiter> waiters;
  waiters.swap(waiting_);
  for (const Waiter& waiter : waiters) waiting_bytes_ -= waiter.envelope.size();
  metrics_.errors(EnqueueFault::kDisconnected).Increment(static_cast<double>(waiters.size()));
  Fail(waiters, absl::UnavailableError(status.message()));
}

}  // namespace postern::edge
