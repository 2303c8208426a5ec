#include "portal/web/csrf.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "services/common/base/random.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

constexpr std::size_t kSecretBytes = 16;
constexpr std::size_t kSecretCharacters = 22;
constexpr std::string_view kPurpose = "postern portal csrf 1";

std::string Message(std::string_view secret, std::string_view session_id) {
  // The secret has one length only, so nothing can be moved from one part to the other.
  return StrCat(secret, session_id);
}

}  // namespace

CsrfTokens::CsrfTokens(const std::vector<crypto::Secret>& keys) {
  for (const crypto::Secret& key : keys) {
    keys_.emplace_back(crypto::Hmac(key.view()).Sign(kPurpose));
  }
}

std::string CsrfTokens::NewSecret() {
  std::array<std::uint8_t, kSecretBytes> bytes{};
  FillRandom(bytes);
  return absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

bool CsrfTokens::IsSecret(std::string_view value) {
  return value.size() == kSecretCharacters && std::all_of(value.begin(), value.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

std::string CsrfTokens::Make(std::string_view secret, std::string_view session_id) {
  return absl::WebSafeBase64Escape(keys_.front().Sign(Message(secret, session_id)));
}

bool CsrfTokens::Check(std::string_view token, std::string_view secret,
                       std::string_view session_id) {
  if (!IsSecret(secret)) return false;
  std::string given;
  if (!absl::WebSafeBase64Unescape(ToAbsl(token), &given)) return false;
  const std::string message = Message(secret, session_id);
  return std::any_of(keys_.begin(), keys_.end(), [&](crypto::Hmac& key) {
    return crypto::ConstantTimeEqual(key.Sign(message), given);
  });
}

bool ComesFromOurPages(std::string_view origin, std::string_view fetch_site,
                       std::string_view host) {
  if (!fetch_site.empty() && fetch_site != "same-origin") return false;
  if (origin.empty()) return true;
  constexpr std::string_view kScheme = "https://";
  return origin.starts_with(kScheme) &&
         absl::EqualsIgnoreCase(ToAbsl(origin.substr(kScheme.size())), ToAbsl(host));
}

}  // namespace postern::portal
