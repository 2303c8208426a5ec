#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/common/crypto/hash.h"
#include "services/common/crypto/secret.h"

namespace postern::portal {

// Protects forms from being sent by another site's page: every form carries a token that is an HMAC
// over a random value in the browser's cookie and over the session. So it is of no use with another
// browser, with another session (one from before the login, say), or to who can only plant cookies.
// Not thread-safe: one per lane.
class CsrfTokens {
 public:
  // Keys are derived from the portals' keys; the first one makes tokens, all are accepted.
  explicit CsrfTokens(const std::vector<crypto::Secret>& keys);

  // For a new cookie: 22 characters of base64url.
  static std::string NewSecret();
  // Whether a cookie's value looks like one of ours.
  static bool IsSecret(std::string_view value);

  // `session_id` is empty for who is not signed in.
  std::string Make(std::string_view secret, std::string_view session_id);
  bool Check(std::string_view token, std::string_view secret, std::string_view session_id);

 private:
  std::vector<crypto::Hmac> keys_;
};

// Whether a request that changes something comes from one of our own pages, by what browsers say
// about it (`Origin`, `Sec-Fetch-Site`); `host` is the value of Host. Fields that are not there
// speak neither way: old browsers and tools send none, and the token decides.
bool ComesFromOurPages(std::string_view origin, std::string_view fetch_site, std::string_view host);

}  // namespace postern::portal
