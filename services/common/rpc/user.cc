#include "services/common/rpc/user.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/authorization.h"
#include "services/common/tls/identity.h"

namespace postern::rpc {
namespace {

constexpr char kAuthorizationKey[] = "authorization";
constexpr std::string_view kScheme = "Bearer ";
constexpr char kPortalPrefix[] = "portal/";

// The claim `email` of a token that was verified before.
std::string EmailOf(std::string_view token) {
  const std::size_t begin = token.find('.');
  const std::size_t end = begin == std::string_view::npos ? begin : token.find('.', begin + 1);
  if (end == std::string_view::npos) return {};
  std::string payload;
  if (!absl::WebSafeBase64Unescape(ToAbsl(token.substr(begin + 1, end - begin - 1)), &payload)) {
    return {};
  }
  const nlohmann::json claims = nlohmann::json::parse(payload, nullptr, /*allow_exceptions=*/false);
  const auto email = claims.find("email");
  if (email == claims.end() || !email->is_string()) return {};
  return email->get<std::string>();
}

}  // namespace

absl::Status CheckNeed(const UserCaller& user, UserNeed need) {
  if (need == UserNeed::kNoPortal) return absl::PermissionDeniedError("not a method for portals");
  if (user.must_change_password && need != UserNeed::kNewcomer) {
    return absl::PermissionDeniedError("the password has to be changed first");
  }
  if (need == UserNeed::kAdmin && !user.admin) {
    return absl::PermissionDeniedError("only administrators may do this");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> BearerToken(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  const auto [first, last] = metadata.equal_range(kAuthorizationKey);
  if (first == last) return std::string_view();
  if (std::next(first) != last) {
    return absl::UnauthenticatedError("authorization: given more than once");
  }
  const std::string_view value(first->second.data(), first->second.size());
  if (!value.starts_with(kScheme) || value.size() == kScheme.size()) {
    return absl::UnauthenticatedError("authorization: not a bearer token");
  }
  return value.substr(kScheme.size());
}

absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context,
                                std::string_view trust_domain, const CheckUser& check_user) {
  const absl::StatusOr<tls::SpiffeId> peer = PeerId(*context.auth_context(), trust_domain);
  if (!peer.ok()) return peer.status();
  Caller caller;
  caller.role = peer->role;
  if (peer->role != tls::Role::kPortal) return caller;
  const absl::StatusOr<std::string_view> token = BearerToken(context.client_metadata());
  if (!token.ok()) return token.status();
  if (token->empty()) return absl::UnauthenticatedError("a user's token is needed");
  absl::StatusOr<UserCaller> user = check_user(*token);
  if (!user.ok()) return user.status();
  caller.user = *std::move(user);
  return caller;
}

bool CalledByPortal(const grpc::ServerContextBase& context) {
  return PeerName(*context.auth_context()).starts_with(kPortalPrefix);
}

std::string ActorName(const grpc::ServerContextBase& context) {
  std::string peer = PeerName(*context.auth_context());
  if (!peer.starts_with(kPortalPrefix)) return peer;
  const absl::StatusOr<std::string_view> token = BearerToken(context.client_metadata());
  if (!token.ok() || token->empty()) return peer;
  const std::string email = EmailOf(*token);
  return email.empty() ? peer : StrCat("user/", email);
}

}  // namespace postern::rpc
