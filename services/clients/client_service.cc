#include "services/clients/client_service.h"

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "services/clients/client_repository.h"
#include "services/clients/client_validation.h"
#include "services/common/base/strings.h"
#include "services/common/log/log.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/common/rpc/user.h"
#include "services/common/rpc/watch_reactor.h"

namespace postern::clients {
namespace {

constexpr std::chrono::seconds kCallTimeout{10};
constexpr int kPageDefault = 50;
constexpr int kPageMax = 1000;
// Two servers that change a client at the same moment may meet in a deadlock; one of them is told
// to try again.
constexpr int kAttempts = 3;
constexpr std::size_t kReasonMax = 500;

grpc::Status Busy() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"};
}

// The id after which the page begins.
absl::StatusOr<std::string> DecodePageToken(const std::string& token) {
  std::string id;
  if (!absl::WebSafeBase64Unescape(token, &id)) {
    return absl::InvalidArgumentError("page_token: not a token of this service");
  }
  return id;
}

absl::Status FillPage(db::Connection& connection, const std::string& after_id, int page_size,
                      v1::ListClientsResponse& response) {
  // One more than asked for tells whether there is a next page.
  auto clients = SelectClients(connection, after_id, page_size + 1);
  if (!clients.ok()) return clients.status();
  const bool more = clients->size() > static_cast<std::size_t>(page_size);
  if (more) clients->pop_back();
  for (v1::Client& client : *clients) *response.add_clients() = std::move(client);
  if (more) {
    response.set_next_page_token(
        absl::WebSafeBase64Escape(response.clients().rbegin()->client_id()));
  }
  return absl::OkStatus();
}

template <typename Change>
absl::StatusOr<v1::Client> Retried(const Change& change) {
  for (int attempt = 1;; ++attempt) {
    auto changed = change();
    if (changed.ok() || changed.status().code() != absl::StatusCode::kAborted ||
        attempt == kAttempts) {
      return changed;
    }
  }
}

}  // namespace

grpc::ServerUnaryReactor* ClientService::CreateClient(grpc::CallbackServerContext* context,
                                                      const v1::CreateClientRequest* request,
                                                      v1::CreateClientResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto client = ValidateNewClient(*request);
  if (!client.ok()) {
    reactor->Finish(rpc::ToGrpc(client.status()));
    return reactor;
  }
  auto work = [this, reactor, response, client = *std::move(client),
               actor = rpc::ActorName(*context)](auto connection) {
    if (!connection.ok()) return reactor->Finish(rpc::ToGrpc(connection.status()));
    auto inserted = Retried([&] { return InsertClient(**connection, client, actor, NowMicros()); });
    if (!inserted.ok()) return reactor->Finish(rpc::ToGrpc(inserted.status()));
    log::Info("client_created", "client_id", client.client_id, "domain", client.domain);
    directory_.Nudge();
    *response->mutable_client() = *std::move(inserted);
    reactor->Finish(grpc::Status::OK);
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(work))) {
    reactor->Finish(Busy());
  }
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::GetClient(grpc::CallbackServerContext* context,
                                                   const v1::GetClientRequest* request,
                                                   v1::GetClientResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto work = [reactor, response, client_id = request->client_id()](auto connection) {
    if (!connection.ok()) return reactor->Finish(rpc::ToGrpc(connection.status()));
    auto client = SelectClient(**connection, client_id);
    if (!client.ok()) return reactor->Finish(rpc::ToGrpc(client.status()));
    *response->mutable_client() = *std::move(client);
    reactor->Finish(grpc::Status::OK);
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(work))) {
    reactor->Finish(Busy());
  }
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::SuspendClient(grpc::CallbackServerContext* context,
                                                       const v1::SuspendClientRequest* request,
                                                       v1::SuspendClientResponse* response) {
  return SetState(context,
                  {request->client_id(), v1::CLIENT_STATE_SUSPENDED, rpc::ActorName(*context),
                   request->reason()},
                  response->mutable_client());
}

grpc::ServerUnaryReactor* ClientService::ResumeClient(grpc::CallbackServerContext* context,
                                                      const v1::ResumeClientRequest* request,
                                                      v1::ResumeClientResponse* response) {
  return SetState(
      context,
      {request->client_id(), v1::CLIENT_STATE_ACTIVE, rpc::ActorName(*context), request->reason()},
      response->mutable_client());
}

grpc::ServerUnaryReactor* ClientService::SetState(grpc::CallbackServerContext* context,
                                                  StateChange change, v1::Client* client) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (change.reason.size() > kReasonMax) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "reason: over 500 bytes"});
    return reactor;
  }
  auto work = [this, reactor, client, change = std::move(change)](auto connection) {
    if (!connection.ok()) return reactor->Finish(rpc::ToGrpc(connection.status()));
    auto changed = Retried([&] { return UpdateState(**connection, change); });
    if (!changed.ok()) return reactor->Finish(rpc::ToGrpc(changed.status()));
    log::Info("client_state_set", "client_id", change.client_id, "state",
              v1::ClientState_Name(change.state), "by", change.actor);
    directory_.Nudge();
    *client = *std::move(changed);
    reactor->Finish(grpc::Status::OK);
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(work))) {
    reactor->Finish(Busy());
  }
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::ListClients(grpc::CallbackServerContext* context,
                                                     const v1::ListClientsRequest* request,
                                                     v1::ListClientsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto after_id = DecodePageToken(request->page_token());
  if (after_id.ok() && request->page_size() < 0) {
    after_id = absl::InvalidArgumentError("page_size: negative");
  }
  if (!after_id.ok()) {
    reactor->Finish(rpc::ToGrpc(after_id.status()));
    return reactor;
  }
  const int page_size =
      request->page_size() == 0 ? kPageDefault : std::min(request->page_size(), kPageMax);
  auto work = [reactor, response, page_size, after_id = *std::move(after_id)](auto connection) {
    absl::Status status = connection.status();
    if (status.ok()) status = FillPage(**connection, after_id, page_size, *response);
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(work))) {
    reactor->Finish(Busy());
  }
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchClientsResponse>* ClientService::WatchClients(
    grpc::CallbackServerContext* /*context*/, const v1::WatchClientsRequest* request) {
  return rpc::WatchReactor<v1::WatchClientsResponse, ClientDirectory, DirectoryCursor>::Begin(
      directory_, directory_.CursorAfter(request->after_revision()));
}

}  // namespace postern::clients
