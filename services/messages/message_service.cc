#include "services/messages/message_service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/common/base/encoding.h"
#include "services/common/rpc/status.h"
#include "services/messages/database_call.h"
#include "services/messages/envelope_check.h"
#include "services/messages/list_query.h"

namespace postern::messages {

MessageService::MessageService(db::Executor& database, const Ledger& ledger,
                               EnvelopeReaderFactory readers, metrics::Registry& metrics,
                               CallerRole caller_role)
    : database_(database),
      ledger_(ledger),
      make_reader_(std::move(readers)),
      caller_role_(std::move(caller_role)),
      quarantine_(metrics) {}

// An edge speaks for one client, and never gets plaintext.
absl::Status MessageService::CheckCaller(const grpc::CallbackServerContext& context,
                                         bool names_client, v1::MessageView view) const {
  const absl::StatusOr<tls::Role> role = caller_role_(*context.auth_context());
  if (!role.ok()) return role.status();
  if (!v1::MessageView_IsValid(view)) return absl::InvalidArgumentError("unknown view");
  if (view == v1::MESSAGE_VIEW_FULL && *role != tls::Role::kOperator) {
    return absl::PermissionDeniedError("only operators see messages in full");
  }
  if (*role == tls::Role::kEdge && !names_client) {
    return absl::InvalidArgumentError("an edge must name the client");
  }
  return absl::OkStatus();
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

grpc::ServerUnaryReactor* MessageService::GetMessage(grpc::CallbackServerContext* context,
                                                     const v1::GetMessageRequest* request,
                                                     v1::GetMessageResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = CheckCaller(*context, !request->client_id().empty(), request->view());
  const absl::StatusOr<Uuid> id = Uuid::Parse(request->id());
  if (status.ok()) status = id.status();
  if (!status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  RunOnDatabase(database_, context, reactor,
                [this, request, response, id = *id](db::Connection& connection) {
                  absl::StatusOr<std::optional<StoredMessage>> found =
                      FindMessage(connection, id, request->client_id());
                  if (!found.ok()) return found.status();
                  if (!found->has_value()) return absl::NotFoundError("no such message");
                  const std::unique_ptr<EnvelopeReader> reader =
                      request->view() == v1::MESSAGE_VIEW_FULL ? make_reader_() : nullptr;
                  return Show(connection, **std::move(found), request->view(), reader.get(),
                              *response->mutable_message());
                });
  return reactor;
}

grpc::ServerUnaryReactor* MessageService::ListMessages(grpc::CallbackServerContext* context,
                                                       const v1::ListMessagesRequest* request,
                                                       v1::ListMessagesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = CheckCaller(*context, !request->client_id().empty(), request->view());
  absl::StatusOr<MessageQuery> query = QueryOf(*request);
  if (status.ok()) status = query.status();
  if (!status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
    return reactor;
  }
  RunOnDatabase(
      database_, context, reactor,
      [this, request, response, query = *std::move(query)](db::Connection& connection) {
        // One more than the page: it tells whether another page follows.
        MessageQuery more = query;
        more.limit = query.limit + 1;
        absl::StatusOr<std::vector<StoredMessage>> listed =
            messages::ListMessages(connection, more);
        if (!listed.ok()) return listed.status();
        if (listed->size() > static_cast<std::size_t>(query.limit)) {
          listed->pop_back();
          response->set_next_page_token(PageTokenOf(listed->back().ciphertext.message_id));
        }
        const std::unique_ptr<EnvelopeReader> reader =
            request->view() == v1::MESSAGE_VIEW_FULL ? make_reader_() : nullptr;
        for (StoredMessage& stored : *listed) {
          absl::Status shown = Show(connection, std::move(stored), request->view(), reader.get(),
                                    *response->add_messages());
          if (!shown.ok()) return shown;
        }
        return absl::OkStatus();
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
  const absl::StatusOr<MessageQuery> query = QueryOf(range);
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
