#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/identity/token_key.h"

namespace postern::identity {

// What an access token says. Times are in seconds since the Unix epoch.
struct AccessClaims {
  std::int64_t user_id = 0;
  std::string email;
  Uuid session;
  std::int64_t revision = 0;  // Of the identities when it was made: who knows less cannot judge it.
  std::int64_t issued_at_s = 0;
  std::int64_t expires_at_s = 0;
};

// Makes and reads access tokens: JWTs (RFC 7519) with ES256, by libjwt, following RFC 8725. The
// algorithm is this code's, never the token's; of the header only `kid` is used, as a key of a map.
// Immutable, so thread-safe.
class AccessTokens {
 public:
  // Tokens are of and for servers of this trust domain.
  explicit AccessTokens(std::string_view trust_domain);

  // Internal when libjwt fails.
  absl::StatusOr<std::string> Sign(const AccessClaims& claims, const TokenKey& key) const;
  // Unauthenticated for everything that Sign did not make with one of `keys`, and for what has
  // ended; the message does not repeat the token.
  absl::StatusOr<AccessClaims> Verify(std::string_view token, const TokenKeys& keys,
                                      std::int64_t now_s) const;

 private:
  const std::string issuer_;
  const std::string audience_;
};

}  // namespace postern::identity
