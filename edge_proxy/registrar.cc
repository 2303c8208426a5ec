#include "edge_proxy/registrar.h"

#include <google/protobuf/arena.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <utility>

#include "edge_proxy/limits.h"
#include "services/common/log/log.h"

namespace postern::edge {
namespace {

constexpr char kMethod[] = "/postern.v1.RegistrationService/RegisterMessages";

// The batch's own bytes, kept alive by the slice: no copy is made.
grpc::ByteBuffer Wrap(const std::shared_ptr<RegistrationBatch>& batch) {
  auto* const owner = new std::shared_ptr<RegistrationBatch>(batch);
  const std::string& wire = batch->wire();
  const grpc::Slice slice(
      const_cast<char*>(wire.data()), wire.size(),
      [](void* held) { delete static_cast<std::shared_ptr<RegistrationBatch>*>(held); }, owner);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

struct Registrar::Call {
  std::shared_ptr<RegistrationBatch> batch;
  Clock::time_point sent_at;
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  google::protobuf::Arena arena;  // Hundreds of outcomes in a few allocations.
  v1::RegisterMessagesResponse& response =
      *google::protobuf::Arena::CreateMessage<v1::RegisterMessagesResponse>(&arena);
};

Registrar::Registrar(std::shared_ptr<grpc::Channel> channel, std::size_t buffer_bytes,
                     metrics::Registry& metrics)
    : stub_(std::move(channel)),
      buffer_bytes_(buffer_bytes),
      registered_(metrics.Counter("postern_registrations_total",
                                  "Accepted messages by what became of their registration.",
                                  {{"result", "registered"}})),
      rejected_(metrics.Counter("postern_registrations_total",
                                "Accepted messages by what became of their registration.",
                                {{"result", "rejected"}})),
      overflowed_(metrics.Counter("postern_registrations_total",
                                  "Accepted messages by what became of their registration.",
                                  {{"result", "overflow"}})),
      calls_ok_(metrics.Counter("postern_registration_calls_total",
                                "RegisterMessages calls by result.", {{"result", "ok"}})),
      calls_failed_(metrics.Counter("postern_registration_calls_total",
                                    "RegisterMessages calls by result.", {{"result", "failed"}})),
      buffered_(metrics.Gauge("postern_registration_buffer_bytes",
                              "Bytes of accepted messages that are not registered yet.")),
      batch_messages_(metrics.MakeHistogram("postern_registration_batch_messages",
                                            "Messages per RegisterMessages call.",
                                            metrics::BatchBuckets())),
      open_(std::make_shared<RegistrationBatch>()) {}

Registrar::~Registrar() { Stop(std::chrono::milliseconds(0)); }

void Registrar::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Registrar::Stop(std::chrono::milliseconds limit) {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    if (thread_.joinable()) wake_.wait_for(lock, limit, [this] { return Empty(); });
    if (!Empty()) {
      std::size_t left = open_->size();
      for (const auto& batch : ready_) left += batch->size();
      for (const auto& [key, call] : calls_) left += call->batch->size();
      log::Warn("registrations_left_to_delivery", "messages", left);
    }
    abandoned_ = true;
    CancelCalls();
    wake_.notify_all();
    wake_.wait(lock, [this] { return calls_.empty(); });
  }
  if (thread_.joinable()) thread_.join();
}

void Registrar::CancelCalls() {
  for (const auto& [key, call] : calls_) call->context.TryCancel();
}

void Registrar::Add(std::span<const DurableMessage> messages, std::int64_t durable_at_us) {
  static log::RateLimit limit(/*interval_ms=*/10'000);
  const std::lock_guard lock(mutex_);
  const bool was_empty = open_->size() == 0;
  const std::size_t ready_before = ready_.size();
  for (const DurableMessage& message : messages) {
    const std::size_t cost = RegistrationBatch::Cost(message);
    if (buffered_bytes_ + cost > buffer_bytes_) {
      overflowed_.Increment();
      if (limit.Allow()) log::Warn("registration_buffer_full", "bytes", buffered_bytes_);
      continue;
    }
    buffered_bytes_ += cost;
    open_->Add(message, durable_at_us);
    if (open_->size() >= kRegistrationBatchMax || open_->cost() >= kRegistrationBatchBytesMax) {
      SealOpenBatch();
    }
  }
  buffered_.Set(static_cast<double>(buffered_bytes_));
  if (was_empty || ready_.size() != ready_before) wake_.notify_all();
}

void Registrar::SealOpenBatch() {
  ready_.push_back(std::move(open_));
  open_ = std::make_shared<RegistrationBatch>();
}

std::optional<v1::Envelope> Registrar::Find(const Uuid& id) const {
  const std::lock_guard lock(mutex_);
  std::optional<v1::Envelope> found = open_->Find(id);
  for (auto batch = ready_.begin(); !found.has_value() && batch != ready_.end(); ++batch) {
    found = (*batch)->Find(id);
  }
  for (auto call = calls_.begin(); !found.has_value() && call != calls_.end(); ++call) {
    found = call->second->batch->Find(id);
  }
  return found;
}

bool Registrar::failing() const {
  const std::lock_guard lock(mutex_);
  return pause_.count() != 0;
}

std::chrono::milliseconds Registrar::OldestAge() const {
  const std::lock_guard lock(mutex_);
  if (calls_.empty() || pause_.count() != 0) return std::chrono::milliseconds(0);
  Clock::time_point oldest = Clock::time_point::max();
  for (const auto& [key, call] : calls_) oldest = std::min(oldest, call->sent_at);
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - oldest);
}

std::optional<Registrar::Clock::time_point> Registrar::NextSend() const {
  // One call at a time tries whether a server that failed is back.
  const std::size_t in_flight_max = pause_.count() == 0 ? kRegistrationsInFlightMax : 1;
  if (calls_.size() >= in_flight_max) return std::nullopt;
  if (!ready_.empty()) return not_before_;
  if (open_->size() == 0) return std::nullopt;
  if (stopping_) return not_before_;
  return std::max(not_before_, last_send_ + kRegistrationGatherTime);
}

void Registrar::Run() {
  std::unique_lock lock(mutex_);
  while (!abandoned_ && !(stopping_ && Empty())) {
    const std::optional<Clock::time_point> next = NextSend();
    if (!next.has_value()) {
      wake_.wait(lock);
    } else if (Clock::now() < *next) {
      wake_.wait_until(lock, *next);
    } else {
      if (ready_.empty()) SealOpenBatch();
      std::shared_ptr<RegistrationBatch> batch = std::move(ready_.front());
      ready_.pop_front();
      last_send_ = Clock::now();
      auto owned = std::make_unique<Call>();
      Call& call = *owned;
      call.batch = std::move(batch);
      call.sent_at = last_send_;
      calls_.emplace(&call, std::move(owned));
      lock.unlock();
      Send(call);
      lock.lock();
    }
  }
}

void Registrar::Send(Call& call) {
  call.request = Wrap(call.batch);
  call.context.set_deadline(std::chrono::system_clock::now() + kRegistrationDeadline);
  batch_messages_.Observe(static_cast<double>(call.batch->size()));
  stub_.UnaryCall(&call.context, kMethod, grpc::StubOptions(), &call.request, &call.response,
                  [this, &call](const grpc::Status& status) { Finished(call, status); });
}

// The call ends here, under the lock: its context holds on to the channel, and a channel whose last
// holder is one of gRPC's own threads joins that thread with itself and crashes (gRPC 1.51).
void Registrar::Finished(Call& call, const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<RegistrationBatch> batch = call.batch;
  const bool again = Account(call, status);
  calls_.erase(&call);
  if (!again) {
    buffered_bytes_ -= batch->cost();
    buffered_.Set(static_cast<double>(buffered_bytes_));
    pause_ = std::chrono::milliseconds(0);
  } else {
    ready_.push_front(batch);
    pause_ = std::clamp(pause_ * 2, kRegistrationPauseMin, kRegistrationPauseMax);
    std::uniform_int_distribution<std::int64_t> pick(pause_.count() / 2, pause_.count());
    not_before_ = Clock::now() + std::chrono::milliseconds(pick(jitter_));
  }
  wake_.notify_all();
}

bool Registrar::Account(const Call& call, const grpc::Status& status) {
  static log::RateLimit limit(/*interval_ms=*/10'000);
  const std::size_t size = call.batch->size();
  const bool complete =
      status.ok() && static_cast<std::size_t>(call.response.outcomes_size()) == size;
  if (complete) {
    calls_ok_.Increment();
    std::size_t rejected = 0;
    for (const v1::RegistrationOutcome& outcome : call.response.outcomes()) {
      if (outcome.result() == v1::REGISTRATION_RESULT_REGISTERED) continue;
      ++rejected;
      if (limit.Allow()) log::Error("registration_rejected", "reason", outcome.reason());
    }
    rejected_.Increment(static_cast<double>(rejected));
    registered_.Increment(static_cast<double>(size - rejected));
    return false;
  }
  calls_failed_.Increment();
  if (limit.Allow() && !stopping_) {
    log::Warn("registration_failed", "code", static_cast<int>(status.error_code()), "reason",
              status.error_message(), "messages", size);
  }
  // Sent again it would fail again: its deliveries decide.
  if (status.error_code() != grpc::StatusCode::INVALID_ARGUMENT) return true;
  rejected_.Increment(static_cast<double>(size));
  return false;
}

}  // namespace postern::edge
