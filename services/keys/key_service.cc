#include "services/keys/key_service.h"

#include <chrono>
#include <string>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/rpc/authorization.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"

namespace postern::keys {
namespace {

constexpr std::chrono::seconds kCreateTimeout{5};
constexpr std::chrono::seconds kKeyCallTimeout{30};

grpc::Status TooMuchInHand() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"};
}

v1::MasterKeyState StateOf(const MasterKeyRow& row, std::uint32_t active) {
  if (row.retired_at_us > 0) return v1::MASTER_KEY_STATE_RETIRED;
  if (row.version == active) return v1::MASTER_KEY_STATE_ACTIVE;
  return row.version < active ? v1::MASTER_KEY_STATE_OLD : v1::MASTER_KEY_STATE_KNOWN;
}

}  // namespace

grpc::ServerUnaryReactor* KeyService::CreateDataKey(grpc::CallbackServerContext* context,
                                                    const v1::CreateDataKeyRequest* /*request*/,
                                                    v1::CreateDataKeyResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto peer = rpc::PeerId(*context->auth_context(), trust_domain_);
  if (!peer.ok()) {
    reactor->Finish(rpc::ToGrpc(peer.status()));
    return reactor;
  }
  const auto on_created = [this, reactor, response](absl::StatusOr<NewDataKey> created) {
    if (!created.ok()) return reactor->Finish(rpc::ToGrpc(created.status()));
    response->set_data_key_id(std::string(created->id.bytes()));
    response->set_plaintext_key(std::string(created->key.view()));
    *response->mutable_wrapped_data_key() = std::move(created->wrapped);
    response->set_edge_hash_key(std::string(edge_hash_key_.view()));
    response->set_max_age_seconds(limits_.max_age_seconds);
    response->set_max_encryptions(limits_.max_encryptions);
    reactor->Finish(grpc::Status::OK);
  };
  if (!data_keys_.TryCreate(StrCat(tls::RoleName(peer->role), "/", peer->name),
                            rpc::CallDeadline(*context, kCreateTimeout), on_created)) {
    reactor->Finish(TooMuchInHand());
  }
  return reactor;
}

// Runs `work` with a connection and answers with what it says.
grpc::ServerUnaryReactor* KeyService::Submit(grpc::CallbackServerContext* context, Work work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const bool taken = database_.TrySubmit(
      rpc::CallDeadline(*context, kKeyCallTimeout),
      [reactor, work = std::move(work)](absl::StatusOr<db::Connection*> connection) {
        reactor->Finish(rpc::ToGrpc(connection.ok() ? work(**connection) : connection.status()));
      });
  if (!taken) reactor->Finish(TooMuchInHand());
  return reactor;
}

grpc::ServerUnaryReactor* KeyService::GetKeyStatus(grpc::CallbackServerContext* context,
                                                   const v1::GetKeyStatusRequest* /*request*/,
                                                   v1::GetKeyStatusResponse* response) {
  return Submit(context, [this, response](db::Connection& connection) {
    const auto states = master_keys_.Status(connection);
    if (!states.ok()) return states.status();
    std::uint32_t active = 0;
    for (const MasterKeyState& state : *states) {
      if (state.row.activated_at_us > 0) active = state.row.version;
    }
    for (const MasterKeyState& state : *states) {
      v1::MasterKeyVersion& version = *response->add_versions();
      version.set_version(state.row.version);
      version.set_state(StateOf(state.row, active));
      version.set_data_keys(state.data_keys);
      version.set_activated_at_us(state.row.activated_at_us);
      version.set_retired_at_us(state.row.retired_at_us);
      for (const std::string& server : state.servers) version.add_servers(server);
    }
    response->set_data_key_max_age_seconds(limits_.max_age_seconds);
    response->set_data_key_max_encryptions(limits_.max_encryptions);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyService::RotateMasterKey(grpc::CallbackServerContext* context,
                                                      const v1::RotateMasterKeyRequest* request,
                                                      v1::RotateMasterKeyResponse* response) {
  const std::string actor = rpc::PeerName(*context->auth_context());
  return Submit(context, [this, request, response, actor](db::Connection& connection) {
    const auto active = master_keys_.Rotate(connection, request->version(), actor);
    if (active.ok()) response->set_active_version(*active);
    return active.status();
  });
}

grpc::ServerUnaryReactor* KeyService::RetireMasterKey(grpc::CallbackServerContext* context,
                                                      const v1::RetireMasterKeyRequest* request,
                                                      v1::RetireMasterKeyResponse* /*response*/) {
  const std::string actor = rpc::PeerName(*context->auth_context());
  return Submit(context, [this, request, actor](db::Connection& connection) {
    return master_keys_.Retire(connection, request->version(), actor);
  });
}

}  // namespace postern::keys
