#include "services/messages/message_service.h"

#include <map>
#include <optional>
#include <utility>

#include "services/common/audit/act.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/messages/database_call.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"
#include "services/messages/list_query.h"

namespace postern::messages {

namespace {

constexpr char kNoSuchMessage[] = "no such message";

// What an audit row says of plaintext that was handed out.
absl::Status AppendRead(db::Connection& connection, std::string actor, std::string target,
                        std::map<std::string, std::string> details) {
  audit::Act act;
  act.actor = std::move(actor);
  act.action = "message.read";
  act.target = std::move(target);
  act.details = std::move(details);
  return audit::AppendAlone(connection, act);
}

// A user asks for what is another client's: the answer is that of what is not there, and the log
// tells the two apart.
absl::Status HideForeign(db::Connection& connection, std::string actor, std::string target,
                         const absl::Status& answer) {
  audit::Act act;
  act.actor = std::move(actor);
  act.action = "message.read";
  act.target = std::move(target);
  act.outcome = audit::Outcome::kRefused;
  const absl::Status logged = audit::AppendAlone(connection, act);
  return logged.ok() ? answer : logged;
}

}  // namespace

MessageService::MessageService(db::Executor& database, const Ledger& ledger,
                               EnvelopeReaderFactory readers, NumberHasher hash_number,
                               metrics::Registry& metrics, GetCaller get_caller)
    : database_(database),
      ledger_(ledger),
      make_reader_(std::move(readers)),
      hash_number_(std::move(hash_number)),
      get_caller_(std::move(get_caller)),
      quarantine_(metrics) {}

// An edge speaks for one client, and never gets plaintext; a user gets that of one message at a
// time, and only of linked clients. What somebody may not see is not there.
absl::StatusOr<rpc::Caller> MessageService::CheckCaller(const grpc::CallbackServerContext& context,
                                                        const std::string& client_id,
                                                        v1::MessageView view, bool one) const {
  absl::StatusOr<rpc::Caller> caller = get_caller_(context);
  if (!caller.ok()) return caller;
  if (!v1::MessageView_IsValid(view)) return absl::InvalidArgumentError("unknown view");
  if (view == v1::MESSAGE_VIEW_FULL && caller->role != tls::Role::kOperator &&
      !(caller->user && one)) {
    return absl::PermissionDeniedError(
        "only operators see messages in full, and users one at a time");
  }
  if (caller->role == tls::Role::kEdge && client_id.empty()) {
    return absl::InvalidArgumentError("an edge must name the client");
  }
  if (caller->user && !client_id.empty() && !caller->user->MaySee(client_id)) {
    return absl::NotFoundError(one ? kNoSuchMessage : "client_id: no such client");
  }
  return caller;
}

absl::Status MessageService::Show(db::Connection& connection, StoredMessage stored,
                                  v1::MessageView view, EnvelopeReader* reader, v1::Message& out) {
  out = std::move(stored.message);
  if (view != v1::MESSAGE_VIEW_FULL) return absl::OkStatus();
  absl::StatusOr<OpenedMessage> opened = reader->Open(stored.ciphertext);
  if (opened.ok()) {
    out.set_sender_number(std::move(opened->number));
    out.set_message_body(std::move(opened->body));
  } else if (absl::IsDataLoss(opened.status())) {
    out.set_decryption_error(kAuthenticationFailed);
    // A dead letter is out of the way already.
    if (out.state() != v1::MESSAGE_STATE_DEAD) {
      return quarantine_.Add(connection, stored.ciphertext.message_id, out.client_id(),
                             kAuthenticationFailed, kFoundByRead);
    }
  } else if (absl::IsFailedPrecondition(opened.status())) {
    out.set_decryption_error(kDataKeyUnknown);
  } else {
    return opened.status();
  }
  return absl::OkStatus();
}

void MessageService::AnswerForeign(grpc::CallbackServerContext* context,
                                   grpc::ServerUnaryReactor* reactor, std::string target,
                                   const absl::Status& answer) {
  RunOnDatabase(
      database_, context, reactor,
      [target = std::move(target), answer, actor = rpc::ActorName(*context)](
          db::Connection& connection) { return HideForeign(connection, actor, target, answer); });
}

grpc::ServerUnaryReactor* MessageService::GetMessage(grpc::CallbackServerContext* context,
                                                     const v1::GetMessageRequest* request,
                                                     v1::GetMessageResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::StatusOr<rpc::Caller> caller =
      CheckCaller(*context, request->client_id(), request->view(), /*one=*/true);
  const absl::StatusOr<Uuid> id = Uuid::Parse(request->id());
  if (absl::IsNotFound(caller.status()) && id.ok()) {
    AnswerForeign(context, reactor, StrCat("message/", id->ToString()), caller.status());
    return reactor;
  }
  absl::Status status = caller.status();
  if (status.ok()) status = id.status();
  if (!status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  RunOnDatabase(database_, context, reactor,
                [this, request, response, id = *id, user = std::move(caller->user),
                 actor = rpc::ActorName(*context)](db::Connection& connection) {
                  absl::StatusOr<std::optional<StoredMessage>> found =
                      FindMessage(connection, id, request->client_id());
                  if (!found.ok()) return found.status();
                  if (!found->has_value()) return absl::NotFoundError(kNoSuchMessage);
                  if (user && !user->MaySee((*found)->message.client_id())) {
                    return HideForeign(connection, actor, StrCat("message/", id.ToString()),
                                       absl::NotFoundError(kNoSuchMessage));
                  }
                  const bool full = request->view() == v1::MESSAGE_VIEW_FULL;
                  const std::unique_ptr<EnvelopeReader> reader = full ? make_reader_() : nullptr;
                  const std::string client_id = (*found)->message.client_id();
                  absl::Status shown = Show(connection, **std::move(found), request->view(),
                                            reader.get(), *response->mutable_message());
                  if (!shown.ok() || !full) return shown;
                  return AppendRead(connection, actor, StrCat("message/", id.ToString()),
                                    {{"client", client_id}});
                });
  return reactor;
}

grpc::ServerUnaryReactor* MessageService::ListMessages(grpc::CallbackServerContext* context,
                                                       const v1::ListMessagesRequest* request,
                                                       v1::ListMessagesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::StatusOr<rpc::Caller> caller =
      CheckCaller(*context, request->client_id(), request->view(), /*one=*/false);
  if (absl::IsNotFound(caller.status())) {
    const std::string_view client_id = request->client_id();
    AnswerForeign(context, reactor, StrCat("client/", client_id.substr(0, kClientIdMax)),
                  caller.status());
    return reactor;
  }
  absl::Status status = caller.status();
  absl::StatusOr<MessageQuery> query = QueryOf(*request, hash_number_);
  if (status.ok()) status = query.status();
  const bool sees_nothing =
      status.ok() && caller->user && !caller->user->admin && caller->user->clients->empty();
  if (!status.ok() || sees_nothing) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  if (caller->user && !caller->user->admin) {
    query->clients.assign(caller->user->clients->begin(), caller->user->clients->end());
  }
  RunOnDatabase(database_, context, reactor,
                [this, request, response, query = *std::move(query),
                 actor = rpc::ActorName(*context)](db::Connection& connection) {
                  MessageQuery more = query;
                  more.limit = query.limit + 1;
                  absl::StatusOr<std::vector<StoredMessage>> listed =
                      messages::ListMessages(connection, more);
                  if (!listed.ok()) return listed.status();
                  FinishPage(query, *listed, *response);
                  const bool full = request->view() == v1::MESSAGE_VIEW_FULL;
                  const std::unique_ptr<EnvelopeReader> reader = full ? make_reader_() : nullptr;
                  for (StoredMessage& stored : *listed) {
                    absl::Status shown = Show(connection, std::move(stored), request->view(),
                                              reader.get(), *response->add_messages());
                    if (!shown.ok()) return shown;
                  }
                  if (!full || response->messages().empty()) return absl::OkStatus();
                  return AppendRead(connection, actor, "message/list",
                                    {{"messages", StrCat(response->messages_size())},
                                     {"newest", response->messages().begin()->id()},
                                     {"oldest", response->messages().rbegin()->id()}});
                });
  return reactor;
}

grpc::ServerUnaryReactor* MessageService::VerifyMessages(grpc::CallbackServerContext* context,
                                                         const v1::VerifyMessagesRequest* request,
                                                         v1::VerifyMessagesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  v1::ListMessagesRequest range;
  range.set_page_size(request->page_size() == 0 ? kPageMax : request->page_size());
  range.set_page_token(request->page_token());
  range.set_accepted_from_us(request->accepted_from_us());
  range.set_accepted_until_us(request->accepted_until_us());
  // Dead letters say themselves what is wrong with them.
  for (const auto state :
       {v1::MESSAGE_STATE_QUEUED, v1::MESSAGE_STATE_RETRYING, v1::MESSAGE_STATE_DELIVERED}) {
    range.add_states(state);
  }
  const absl::StatusOr<MessageQuery> query = QueryOf(range, hash_number_);
  if (!query.ok()) {
    reactor->Finish(rpc::ToGrpc(query.status()));
    return reactor;
  }
  RunOnDatabase(database_, context, reactor,
                [this, response, query = *query](db::Connection& connection) {
                  return Verify(connection, query, *response);
                });
  return reactor;
}

absl::Status MessageService::Verify(db::Connection& connection, const MessageQuery& query,
                                    v1::VerifyMessagesResponse& response) {
  const auto page = messages::ListMessages(connection, query);
  if (!page.ok()) return page.status();
  const std::unique_ptr<EnvelopeReader> reader = make_reader_();
  for (const StoredMessage& stored : *page) {
    const absl::Status opened = reader->Open(stored.ciphertext).status();
    response.set_checked(response.checked() + 1);
    if (opened.ok()) continue;
    if (absl::IsFailedPrecondition(opened)) {
      response.set_key_unknown(response.key_unknown() + 1);
      continue;
    }
    if (!absl::IsDataLoss(opened)) return opened;
    v1::DamagedMessage& damaged = *response.add_damaged();
    damaged.set_id(stored.message.id());
    damaged.set_client_id(stored.message.client_id());
    damaged.set_accepted_at_us(stored.message.accepted_at_us());
    damaged.set_reason(kAuthenticationFailed);
    const absl::Status kept =
        quarantine_.Add(connection, stored.ciphertext.message_id, stored.message.client_id(),
                        kAuthenticationFailed, kFoundByVerify);
    if (!kept.ok()) return kept;
  }
  if (page->size() == static_cast<std::size_t>(query.limit)) {
    response.set_next_page_token(HexEncode(page->back().ciphertext.message_id.bytes()));
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* MessageService::GetLedger(grpc::CallbackServerContext* context,
                                                    const v1::GetLedgerRequest*,
                                                    v1::GetLedgerResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::StatusOr<LedgerFigures> figures = ledger_.latest();
  if (figures.ok()) {
    response->set_accepted(figures->accepted);
    response->set_delivered(figures->delivered);
    response->set_pending(figures->pending);
    response->set_dead(figures->dead);
    response->set_queued_entries(figures->queued_entries);
    response->set_gap(figures->gap);
    response->set_measured_at_us(figures->measured_at_us);
    response->set_closed(figures->closed);
  }
  reactor->Finish(rpc::ToGrpc(figures.status()));
  return reactor;
}

}  // namespace postern::messages
