#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"
#include "services/identity/token_key.h"

namespace postern::identity {

// A refresh token: the session's id and 32 bytes that nobody can guess, 64 characters of base64url
// together. The database holds only their SHA-256.
struct RefreshToken {
  Uuid session;
  crypto::Secret secret;

  static RefreshToken First(const Uuid& session);
  // Unauthenticated when it has another form.
  static absl::StatusOr<RefreshToken> Parse(std::string_view text);
  // The next one of the session: the same whenever this one comes, so that a lost answer can be
  // given again without keeping it.
  RefreshToken Next(const TokenKey& key) const;

  std::string ToString() const;
  std::string Sha256() const;  // 32 bytes.
};

}  // namespace postern::identity
