#include "services/messages/registration_service.h"

#include <utility>
#include <vector>

#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/messages/call_guard.h"
#include "services/messages/envelope_check.h"

namespace postern::messages {
namespace {

void Reject(v1::RegistrationOutcome& outcome, std::string reason) {
  outcome.set_result(v1::REGISTRATION_RESULT_REJECTED);
  outcome.set_reason(std::move(reason));
}

}  // namespace

grpc::ServerUnaryReactor* RegistrationService::RegisterMessages(
    grpc::CallbackServerContext* context, const v1::RegisterMessagesRequest* request,
    v1::RegisterMessagesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const grpc::Status size = CheckBatchSize(request->registrations_size());
  if (!size.ok()) {
    reactor->Finish(size);
    return reactor;
  }
  const std::int64_t now_us = NowMicros();
  std::vector<RegistrationItem> items;
  std::vector<int> positions;
  items.reserve(static_cast<std::size_t>(request->registrations_size()));
  positions.reserve(items.capacity());
  response->mutable_outcomes()->Reserve(request->registrations_size());
  for (int i = 0; i < request->registrations_size(); ++i) {
    const v1::Registration& registration = request->registrations(i);
    v1::RegistrationOutcome& outcome = *response->add_outcomes();
    if (!IsWellFormed(registration.envelope()) || !IsWellFormed(registration.position())) {
      Reject(outcome, kMalformedEnvelope);
      continue;
    }
    items.push_back({Uuid::FromBytes(registration.envelope().id()).value(), &registration, now_us});
    positions.push_back(i);
  }
  if (items.empty()) {
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  auto done = [reactor, response, positions = std::move(positions)](const absl::Status& status,
                                                                    std::vector<Outcome> outcomes) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      v1::RegistrationOutcome& outcome = *response->mutable_outcomes(positions[i]);
      if (outcomes[i].kind == Outcome::Kind::kRejected) {
        Reject(outcome, std::move(outcomes[i].reason));
      } else {
        outcome.set_result(v1::REGISTRATION_RESULT_REGISTERED);
      }
    }
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!writer_.TryRegister(std::move(items), rpc::CallDeadline(*context, kCallTimeoutMax),
                           std::move(done))) {
    reactor->Finish(TooMuchInHand());
  }
  return reactor;
}

}  // namespace postern::messages
