#include "services/identity/access_token.h"

#include <jwt.h>

#include <cstdlib>
#include <memory>

#include "services/common/base/strings.h"
#include "services/identity/limits.h"

namespace postern::identity {
namespace {

constexpr char kType[] = "JWT";
constexpr std::string_view kAlgorithm = "ES256";

struct FreeJwt {
  void operator()(jwt_t* token) const noexcept { jwt_free(token); }
};
using Jwt = std::unique_ptr<jwt_t, FreeJwt>;

struct FreeText {
  void operator()(char* text) const noexcept { std::free(text); }
};

absl::Status Refused(std::string_view why) {
  return absl::UnauthenticatedError(StrCat("the access token ", why));
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view Text(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// Without a key libjwt parses and checks nothing.
Jwt Decode(const std::string& token, std::string_view key) {
  jwt_t* decoded = nullptr;
  const int failed = jwt_decode(&decoded, token.c_str(), key.empty() ? nullptr : Bytes(key),
                                static_cast<int>(key.size()));
  return Jwt(failed == 0 ? decoded : nullptr);
}

}  // namespace

AccessTokens::AccessTokens(std::string_view trust_domain)
    : issuer_(StrCat("postern:", trust_domain)),
      audience_(StrCat("postern-server:", trust_domain)) {}

absl::StatusOr<std::string> AccessTokens::Sign(const AccessClaims& claims,
                                               const TokenKey& key) const {
  jwt_t* made = nullptr;
  if (jwt_new(&made) != 0) return absl::InternalError("libjwt makes no token");
  const Jwt token(made);
  const std::string subject = StrCat(claims.user_id);
  const std::string pem(key.private_pem.view());
  const bool ok = jwt_add_header(made, "typ", kType) == 0 &&
                  jwt_add_header(made, "kid", key.id.ToString().c_str()) == 0 &&
                  jwt_add_grant(made, "iss", issuer_.c_str()) == 0 &&
                  jwt_add_grant(made, "aud", audience_.c_str()) == 0 &&
                  jwt_add_grant(made, "sub", subject.c_str()) == 0 &&
                  jwt_add_grant(made, "email", claims.email.c_str()) == 0 &&
                  jwt_add_grant(made, "sid", claims.session.ToString().c_str()) == 0 &&
                  jwt_add_grant(made, "jti", Uuid::Random().ToString().c_str()) == 0 &&
                  jwt_add_grant_int(made, "rev", claims.revision) == 0 &&
                  jwt_add_grant_int(made, "iat", claims.issued_at_s) == 0 &&
                  jwt_add_grant_int(made, "nbf", claims.issued_at_s) == 0 &&
                  jwt_add_grant_int(made, "exp", claims.expires_at_s) == 0 &&
                  jwt_set_alg(made, JWT_ALG_ES256, Bytes(pem), static_cast<int>(pem.size())) == 0;
  if (!ok) return absl::InternalError("libjwt refuses a claim");
  const std::unique_ptr<char, FreeText> encoded(jwt_encode_str(made));
  if (encoded == nullptr) return absl::InternalError("libjwt does not sign");
  return std::string(encoded.get());
}

absl::StatusOr<AccessClaims> AccessTokens::Verify(std::string_view token, const TokenKeys& keys,
                                                  std::int64_t now_s) const {
  if (token.size() > kAccessTokenBytesMax || token.find('\0') != std::string_view::npos) {
    return Refused("is not one of ours");
  }
  const std::string text(token);
  const Jwt unverified = Decode(text, "");
  if (unverified == nullptr) return Refused("is malformed");
  // Not jwt_get_alg: without a key libjwt says "none" of every token.
  if (Text(jwt_get_header(unverified.get(), "alg")) != kAlgorithm) {
    return Refused("is of another algorithm");
  }
  const absl::StatusOr<Uuid> kid = Uuid::Parse(Text(jwt_get_header(unverified.get(), "kid")));
  const auto key = kid.ok() ? keys.find(*kid) : keys.end();
  if (key == keys.end()) return Refused("is signed by no key of ours");
  const Jwt verified = Decode(text, key->second->public_pem);
  // The algorithm once more, of what was verified.
  if (verified == nullptr || jwt_get_alg(verified.get()) != JWT_ALG_ES256) {
    return Refused("is not signed by its key");
  }
  jwt_t* const jwt = verified.get();
  if (Text(jwt_get_header(jwt, "typ")) != kType) return Refused("is of another type");
  if (Text(jwt_get_grant(jwt, "iss")) != issuer_) return Refused("is of another issuer");
  if (Text(jwt_get_grant(jwt, "aud")) != audience_) return Refused("is for another audience");
  AccessClaims claims;
  claims.issued_at_s = jwt_get_grant_int(jwt, "iat");
  claims.expires_at_s = jwt_get_grant_int(jwt, "exp");
  const std::int64_t not_before_s = jwt_get_grant_int(jwt, "nbf");
  if (claims.expires_at_s <= now_s) return Refused("has ended");
  if (not_before_s == 0 || not_before_s > now_s + kClockSkewMax.count()) {
    return Refused("is of the future");
  }
  const absl::StatusOr<Uuid> session = Uuid::Parse(Text(jwt_get_grant(jwt, "sid")));
  if (!session.ok()) return Refused("names no session");
  claims.session = *session;
  claims.email = std::string(Text(jwt_get_grant(jwt, "email")));
  claims.user_id = std::strtoll(std::string(Text(jwt_get_grant(jwt, "sub"))).c_str(), nullptr, 10);
  claims.revision = jwt_get_grant_int(jwt, "rev");
  if (claims.user_id <= 0) return Refused("names no user");
  return claims;
}

}  // namespace postern::identity
