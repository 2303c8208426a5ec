#include "services/messages/delivery_service.h"

#include <utility>

#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/messages/call_guard.h"
#include "services/messages/envelope_check.h"

namespace postern::messages {

// One DeliverMessages call, from the request to its Finish.
struct DeliveryService::Call {
  grpc::CallbackServerContext* context = nullptr;
  const v1::DeliverMessagesRequest* request = nullptr;
  v1::DeliverMessagesResponse* response = nullptr;
  grpc::ServerUnaryReactor* reactor = nullptr;
  Deadline deadline = Deadline::At({});
  std::vector<int> positions;  // Of the items given to the writer.
};

DeliveryService::DeliveryService(MessageWriter& writer, exec::BoundedExecutor& openers,
                                 EnvelopeReaderFactory readers, metrics::Registry& metrics)
    : writer_(writer),
      openers_(openers),
      make_reader_(std::move(readers)),
      key_unknown_(metrics.Counter("postern_deliveries_key_unknown_total",
                                   "Deliveries sent back because no key opens the message.")) {}

grpc::ServerUnaryReactor* DeliveryService::DeliverMessages(
    grpc::CallbackServerContext* context, const v1::DeliverMessagesRequest* request,
    v1::DeliverMessagesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const grpc::Status size = CheckBatchSize(request->deliveries_size());
  if (!size.ok()) {
    reactor->Finish(size);
    return reactor;
  }
  auto call = std::make_shared<Call>();
  call->context = context;
  call->request = request;
  call->response = response;
  call->reactor = reactor;
  call->deadline = rpc::CallDeadline(*context, kCallTimeoutMax);
  if (!openers_.TrySubmit([this, call] { Open(call); })) reactor->Finish(TooMuchInHand());
  return reactor;
}

void DeliveryService::Open(const std::shared_ptr<Call>& call) {
  if (call->context->IsCancelled() || call->deadline.Expired()) {
    call->reactor->Finish({grpc::StatusCode::DEADLINE_EXCEEDED, "nobody waits any more"});
    return;
  }
  const int count = call->request->deliveries_size();
  call->response->mutable_outcomes()->Reserve(count);
  std::vector<DeliveryItem> items;
  items.reserve(static_cast<std::size_t>(count));
  std::unique_ptr<EnvelopeReader> reader = TakeReader();
  for (int i = 0; i < count; ++i) {
    v1::DeliveryOutcome& outcome = *call->response->add_outcomes();
    absl::StatusOr<DeliveryItem> opened = OpenOne(*reader, call->request->deliveries(i), outcome);
    if (!opened.ok()) {
      GiveBack(std::move(reader));
      call->reactor->Finish(rpc::ToGrpc(opened.status()));
      return;
    }
    DeliveryItem item = *std::move(opened);
    if (outcome.result() != v1::DELIVERY_RESULT_UNSPECIFIED) continue;
    items.push_back(std::move(item));
    call->positions.push_back(i);
  }
  GiveBack(std::move(reader));
  if (items.empty()) {
    call->reactor->Finish(grpc::Status::OK);
    return;
  }
  auto done = [call](const absl::Status& status, std::vector<Outcome> outcomes) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      v1::DeliveryOutcome& outcome = *call->response->mutable_outcomes(call->positions[i]);
      const bool dead = outcomes[i].kind == Outcome::Kind::kDead;
      outcome.set_result(dead ? v1::DELIVERY_RESULT_DEAD : v1::DELIVERY_RESULT_DELIVERED);
      if (dead) outcome.set_reason(std::move(outcomes[i].reason));
    }
    call->reactor->Finish(rpc::ToGrpc(status));
  };
  if (!writer_.TryDeliver(std::move(items), call->deadline, std::move(done))) {
    call->reactor->Finish(TooMuchInHand());
  }
}

// Sets `outcome` when the delivery ends here; otherwise the item is for the writer. Unavailable
// when nobody can tell now whether it opens: no attempt of anything.
absl::StatusOr<DeliveryItem> DeliveryService::OpenOne(EnvelopeReader& reader,
                                                      const v1::Delivery& delivery,
                                                      v1::DeliveryOutcome& outcome) {
  DeliveryItem item;
  item.delivery = &delivery;
  if (!delivery.unreadable_entry().empty()) {
    item.id = IdOfUnreadable(delivery.position(), delivery.unreadable_entry());
    item.dead_reason = kUnreadableEntry;
    return item;
  }
  const v1::Envelope& envelope = delivery.envelope();
  if (!IsWellFormed(envelope)) {
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(envelope.id());
    item.id = id.ok() ? *id : IdOfUnreadable(delivery.position(), envelope.SerializeAsString());
    item.dead_reason = kMalformedEnvelope;
    return item;
  }
  item.id = Uuid::FromBytes(envelope.id()).value();
  absl::StatusOr<NumberFacts> number = reader.ReadNumber(envelope);
  if (number.ok()) {
    item.number = *std::move(number);
  } else if (absl::IsDataLoss(number.status())) {
    item.dead_reason = kAuthenticationFailed;
  } else if (!absl::IsFailedPrecondition(number.status())) {
    return absl::UnavailableError("the data key cannot be looked up");
  } else {
    key_unknown_.Increment();
    outcome.set_result(v1::DELIVERY_RESULT_RETRY);
    outcome.set_reason(kDataKeyUnknown);
  }
  return item;
}

std::unique_ptr<EnvelopeReader> DeliveryService::TakeReader() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_readers_.empty()) {
      std::unique_ptr<EnvelopeReader> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  return make_reader_();
}

void DeliveryService::GiveBack(std::unique_ptr<EnvelopeReader> reader) {
  const std::lock_guard lock(mutex_);
  idle_readers_.push_back(std::move(reader));
}

grpc::ServerUnaryReactor* DeliveryService::ReportAttempts(grpc::CallbackServerContext* context,
                                                          const v1::ReportAttemptsRequest* request,
                                                          v1::ReportAttemptsResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const grpc::Status size = CheckBatchSize(request->attempts_size());
  if (!size.ok()) {
    reactor->Finish(size);
    return reactor;
  }
  std::vector<AttemptItem> items;
  std::vector<int> positions;
  for (int i = 0; i < request->attempts_size(); ++i) {
    const v1::FailedAttempt& attempt = request->attempts(i);
    // A malformed envelope has no attempts: its delivery records it as dead.
    if (!IsWellFormed(attempt.envelope()) || !IsWellFormed(attempt.position()) ||
        !IsVisibleAscii(attempt.reason(), kReasonMax) || attempt.attempted_at_us() <= 0) {
      continue;
    }
    items.push_back({Uuid::FromBytes(attempt.envelope().id()).value(), &attempt});
    positions.push_back(i);
  }
  auto done = [reactor, response, positions = std::move(positions)](
                  const absl::Status& status, const std::vector<Outcome>& outcomes) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].kind == Outcome::Kind::kDead) response->add_remove(positions[i]);
    }
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (items.empty()) {
    reactor->Finish(grpc::Status::OK);
  } else if (!writer_.TryRecordAttempts(std::move(items),
                                        rpc::CallDeadline(*context, kCallTimeoutMax), done)) {
    reactor->Finish(TooMuchInHand());
  }
  return reactor;
}

}  // namespace postern::messages
