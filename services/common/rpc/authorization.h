#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/rpc/user.h"
#include "services/common/tls/identity.h"
#include "services/common/tls/revocation_check.h"

namespace postern::rpc {

// Who may call one method.
struct MethodRow {
  std::string method;         // Its full name, `/postern.v1.MessageService/GetMessage`.
  std::set<tls::Role> roles;  // Certificates that are enough by themselves.
  // What a portal that is not among them needs besides.
  UserNeed portal_user = UserNeed::kNoPortal;
};

// What has no row never reaches a handler: it answers UNIMPLEMENTED, as reflection clients expect
// of services that the server does not have.
class MethodTable {
 public:
  explicit MethodTable(std::vector<MethodRow> rows);
  // What a portal's user needs at this method: nothing when the peer's certificate is enough.
  // PermissionDenied (naming role and method), or Unimplemented for a method without a row.
  absl::StatusOr<std::optional<UserNeed>> Check(std::string_view method,
                                                const tls::SpiffeId& peer) const;
  bool Contains(std::string_view method) const { return rows_.contains(method); }
  // The names of all rows.
  std::vector<std::string> Methods() const;

 private:
  std::map<std::string, MethodRow, std::less<>> rows_;
};

// The peer's identity from its verified certificate: the property `peer_spiffe_id`, never
// GetPeerIdentity(), which mixes all SANs. PermissionDenied when there is none or it is of another
// trust domain.
absl::StatusOr<tls::SpiffeId> PeerId(const grpc::AuthContext& context,
                                     std::string_view trust_domain);

// Who calls, for the audit log: the path of its SPIFFE id, such as `operator/alice`; `unknown`
// where the transport has no certificate.
std::string PeerName(const grpc::AuthContext& context);

// A call and who makes it.
struct CallFacts {
  std::string_view method;    // Comes from the peer.
  const tls::SpiffeId* peer;  // Null when its certificate says nothing.
  const UserCaller* user;     // For whom a portal calls; null: nobody that is known.
};

// Told of every call, before its handler: whether it was let in. Must be thread-safe and must not
// block.
using OnCall = std::function<void(const CallFacts&, const grpc::Status&)>;

// Checks every call against the table before it reaches a handler, and asks `check` about the
// peer's certificate (null: nobody is asked): it may have been revoked since the handshake. A token
// that a portal sends has to be good, whether the method needs one or not: handlers may rely on it.
std::shared_ptr<grpc::AuthMetadataProcessor> MakeAuthorizer(MethodTable table,
                                                            std::string trust_domain,
                                                            tls::RevocationCheck check,
                                                            CheckUser check_user, OnCall on_call);

}  // namespace postern::rpc
