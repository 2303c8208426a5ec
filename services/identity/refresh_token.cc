#include "services/identity/refresh_token.h"

#include <openssl/crypto.h>

#include "absl/strings/escaping.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"

namespace postern::identity {
namespace {

constexpr std::size_t kSecretSize = 32;
constexpr std::size_t kTextSize = 64;

}  // namespace

RefreshToken RefreshToken::First(const Uuid& session) {
  return {session, crypto::Secret::Random(kSecretSize)};
}

absl::StatusOr<RefreshToken> RefreshToken::Parse(std::string_view text) {
  std::string bytes;
  if (text.size() != kTextSize || !absl::WebSafeBase64Unescape(ToAbsl(text), &bytes) ||
      bytes.size() != Uuid::kSize + kSecretSize) {
    return absl::UnauthenticatedError("the refresh token is not one of ours");
  }
  const std::string_view view = bytes;
  RefreshToken token{*Uuid::FromBytes(view.substr(0, Uuid::kSize)),
                     crypto::Secret(view.substr(Uuid::kSize))};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return token;
}

RefreshToken RefreshToken::Next(const TokenKey& key) const {
  return {session, crypto::Secret(crypto::Hmac(key.refresh_key.view()).Sign(secret.view()))};
}

std::string RefreshToken::ToString() const {
  std::string text;
  absl::WebSafeBase64Escape(StrCat(session.bytes(), secret.view()), &text);
  return text;
}

std::string RefreshToken::Sha256() const { return crypto::Sha256(secret.view()); }

}  // namespace postern::identity
