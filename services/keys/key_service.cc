#include "services/keys/key_service.h"

#include <chrono>
#include <string>

#include "services/common/base/strings.h"
#include "services/common/rpc/authorization.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"

namespace postern::keys {
namespace {

constexpr std::chrono::seconds kCreateTimeout{5};

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
    response->set_max_age_seconds(limits_.max_age_seconds);
    response->set_max_encryptions(limits_.max_encryptions);
    reactor->Finish(grpc::Status::OK);
  };
  if (!data_keys_.TryCreate(StrCat(tls::RoleName(peer->role), "/", peer->name),
                            rpc::CallDeadline(*context, kCreateTimeout), on_created)) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"});
  }
  return reactor;
}

}  // namespace postern::keys
