#include "services/messages/dead_letter_service.h"

#include <vector>

#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/common/rpc/user.h"
#include "services/messages/database_call.h"
#include "services/messages/dead_letters.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"
#include "services/messages/page_token.h"

namespace postern::messages {
namespace {

absl::StatusOr<DeadLetterFilter> FilterOf(const v1::DeadLetterFilter& request) {
  if (request.ids_size() > kBatchMax) {
    return absl::InvalidArgumentError(StrCat("ids holds more than ", kBatchMax));
  }
  if (!IsVisibleAscii(request.reason(), kReasonMax)) {
    return absl::InvalidArgumentError("reason is not a code");
  }
  if (!IsVisibleAscii(request.client_id(), kClientIdMax)) {
    return absl::InvalidArgumentError("client_id is none");
  }
  DeadLetterFilter filter;
  filter.reason = request.reason();
  filter.client_id = request.client_id();
  for (const std::string& text : request.ids()) {
    const absl::StatusOr<Uuid> id = Uuid::Parse(text);
    if (!id.ok()) return id.status();
    filter.ids.push_back(*id);
  }
  return filter;
}

absl::Status CheckRedrive(const v1::RedriveDeadLettersRequest& request,
                          const DeadLetterFilter& filter) {
  if (filter.empty() != request.all()) {
    return absl::InvalidArgumentError("set either conditions or `all`");
  }
  if (request.limit() < 1 || request.limit() > kBatchMax) {
    return absl::InvalidArgumentError(StrCat("limit is not within 1 to ", kBatchMax));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* DeadLetterService::SummarizeDeadLetters(
    grpc::CallbackServerContext* context, const v1::SummarizeDeadLettersRequest* request,
    v1::SummarizeDeadLettersResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::StatusOr<DeadLetterFilter> filter = FilterOf(request->filter());
  if (!filter.ok()) {
    reactor->Finish(rpc::ToGrpc(filter.status()));
    return reactor;
  }
  RunOnDatabase(database_, context, reactor,
                [response, filter = *std::move(filter)](db::Connection& connection) {
                  const auto groups = messages::SummarizeDeadLetters(connection, filter);
                  if (!groups.ok()) return groups.status();
                  for (const DeadLetterGroup& group : *groups) {
                    v1::DeadLetterGroup& shown = *response->add_groups();
                    shown.set_reason(group.reason);
                    shown.set_count(group.count);
                    shown.set_clients(group.clients);
                    shown.set_first_accepted_at_us(group.first_accepted_at_us);
                    shown.set_last_accepted_at_us(group.last_accepted_at_us);
                  }
                  return absl::OkStatus();
                });
  return reactor;
}

grpc::ServerUnaryReactor* DeadLetterService::RedriveDeadLetters(
    grpc::CallbackServerContext* context, const v1::RedriveDeadLettersRequest* request,
    v1::RedriveDeadLettersResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::StatusOr<DeadLetterFilter> filter = FilterOf(request->filter());
  absl::Status status = filter.status();
  if (status.ok()) status = CheckRedrive(*request, *filter);
  const absl::StatusOr<Uuid> after = IdOfPageToken(request->page_token());
  if (status.ok()) status = after.status();
  if (!status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  RunOnDatabase(database_, context, reactor,
                [this, request, response, after = *after, filter = *std::move(filter),
                 actor = rpc::ActorName(*context)](db::Connection& connection) {
                  const absl::StatusOr<RedrivePart> part = messages::RedriveDeadLetters(
                      connection, queue_, filter, after, request->limit(), actor);
                  if (!part.ok()) return part.status();
                  response->set_redriven(part->redriven);
                  response->set_skipped(part->skipped);
                  if (!part->end) response->set_next_page_token(PageTokenOf(part->last));
                  return absl::OkStatus();
                });
  return reactor;
}

}  // namespace postern::messages
