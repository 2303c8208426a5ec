#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/tls/identity.h"

namespace postern::rpc {

// What a portal needs at a method besides its own certificate.
enum class UserNeed {
  kNoPortal,  // Nothing helps: the method is not for portals.
  kNewcomer,  // A user's token, even of one who has to change the password first.
  kUser,      // A user's token.
  kAdmin,     // An administrator's token.
};

// The person for whom a portal calls, as the server knows them now.
struct UserCaller {
  std::int64_t id = 0;
  std::string email;
  bool admin = false;
  bool must_change_password = false;
  std::string session_id;                                // UUID in its text form.
  std::shared_ptr<const std::set<std::string>> clients;  // Linked ones; never null.

  // Whether they may see what belongs to this client.
  bool MaySee(const std::string& client_id) const { return admin || clients->contains(client_id); }
};

// Who calls: the program, and the person for whom a portal does.
struct Caller {
  tls::Role role = tls::Role::kClient;
  std::optional<UserCaller> user;  // Portals only.
};

// Tells whose access token this is. Unauthenticated when it is not good (any more), Unavailable
// when that cannot be told now. Thread-safe, never blocks.
using CheckUser = std::function<absl::StatusOr<UserCaller>(std::string_view token)>;

// OK, or PermissionDenied saying what is missing.
absl::Status CheckNeed(const UserCaller& user, UserNeed need);

// The token of the metadata `authorization: Bearer <token>`; empty when there is none.
// Unauthenticated when it is of another form or there are several.
absl::StatusOr<std::string_view> BearerToken(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);

// Who makes this call. The error of the token that a portal sends.
absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context,
                                std::string_view trust_domain, const CheckUser& check_user);

// Whether a portal calls, for a user or not.
bool CalledByPortal(const grpc::ServerContextBase& context);

// Who acts, for the audit log: `user/<e-mail>` when a portal calls for somebody, else the path of
// the caller's SPIFFE id, such as `operator/alice`; `unknown` where the transport has no
// certificate. For handlers behind MakeAuthorizer, which lets no portal's token pass unverified.
std::string ActorName(const grpc::ServerContextBase& context);

}  // namespace postern::rpc
