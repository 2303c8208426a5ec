#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "services/common/tls/identity.h"

namespace postern::rpc {

// Full method name (`/postern.v1.MessageService/GetMessage`) to the roles that may call it. What has no row is denied; a service that
// the server does not have at all still answers UNIMPLEMENTED, as reflection clients expect.
class MethodTable {
 public:
  explicit MethodTable(std::map<std::string, std::set<tls::Role>> rows);
  // OK, PermissionDenied (naming role and method), or Unimplemented for a method of no known service.
  grpc::Status Check(std::string_view method, const tls::SpiffeId& peer) const;
  bool Contains(std::string_view method) const { return rows_.contains(std::string(method)); }

 private:
  std::map<std::string, std::set<tls::Role>> rows_;
  std::set<std::string> services_;
};

// The peer's identity from its verified certificate: the property `peer_spiffe_id`, never GetPeerIdentity(), which mixes all SANs.
// PermissionDenied when there is none or it is of another trust domain.
absl::StatusOr<tls::SpiffeId> PeerId(const grpc::AuthContext& context, std::string_view trust_domain);

// Checks every call against the table before it reaches a handler. `on_denied` counts and logs; it must be thread-safe.
std::shared_ptr<grpc::AuthMetadataProcessor> MakeAuthorizer(
    MethodTable table, std::string trust_domain,
    std::function<void(std::string_view method, std::string_view peer, const grpc::Status&)> on_denied);

}  // namespace postern::rpc
