#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/tls/identity.h"

namespace postern::rpc {

// Full method name (`/postern.v1.MessageService/GetMessage`) to the roles that may call it. What
// has no row never reaches a handler: it answers UNIMPLEMENTED, as reflection clients expect of
// services that the server does not have.
class MethodTable {
 public:
  explicit MethodTable(std::map<std::string, std::set<tls::Role>> rows);
  // OK, PermissionDenied (naming role and method), or Unimplemented for a method without a row.
  grpc::Status Check(std::string_view method, const tls::SpiffeId& peer) const;
  bool Contains(std::string_view method) const { return rows_.contains(method); }
  // The names of all rows.
  std::vector<std::string> Methods() const;

 private:
  std::map<std::string, std::set<tls::Role>, std::less<>> rows_;
};

// The peer's identity from its verified certificate: the property `peer_spiffe_id`, never
// GetPeerIdentity(), which mixes all SANs. PermissionDenied when there is none or it is of another
// trust domain.
absl::StatusOr<tls::SpiffeId> PeerId(const grpc::AuthContext& context,
                                     std::string_view trust_domain);

// Who calls, for the audit log: the path of its SPIFFE id, such as `operator/alice`; `unknown`
// where the transport has no certificate.
std::string PeerName(const grpc::AuthContext& context);

// Called for each call that is turned away; `method` comes from the peer, `peer` is its SPIFFE id
// or empty.
using OnDenied =
    std::function<void(std::string_view method, std::string_view peer, const grpc::Status&)>;

// Checks every call against the table before it reaches a handler. `on_denied` counts and logs; it
// must be thread-safe and must not block.
std::shared_ptr<grpc::AuthMetadataProcessor> MakeAuthorizer(MethodTable table,
                                                            std::string trust_domain,
                                                            OnDenied on_denied);

}  // namespace postern::rpc
