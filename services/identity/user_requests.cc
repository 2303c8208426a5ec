#include "services/identity/user_requests.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/utf8.h"
#include "services/identity/limits.h"

namespace postern::identity {
namespace {

constexpr std::size_t kClientIdMax = 64;

bool IsEmailCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos;
}

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
}

std::string Printable(const std::string& text, std::size_t max) {
  std::string shown = text.substr(0, max);
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return shown;
}

}  // namespace

absl::StatusOr<std::string> ReadEmail(const std::string& email) {
  const absl::Status wrong = absl::InvalidArgumentError(
      "email: wanted is an address such as ann@example.com, at most 120 characters of ASCII");
  const std::size_t at = email.find('@');
  if (email.size() > kEmailMax || at == std::string::npos || at == 0 || at + 1 == email.size()) {
    return wrong;
  }
  const std::string_view local = std::string_view(email).substr(0, at);
  const std::string_view host = std::string_view(email).substr(at + 1);
  if (!std::all_of(local.begin(), local.end(), IsEmailCharacter) ||
      !std::all_of(host.begin(), host.end(), IsHostCharacter) || host.front() == '.' ||
      host.back() == '.') {
    return wrong;
  }
  return absl::AsciiStrToLower(email);
}

absl::Status CheckName(const std::string& name) {
  const std::optional<std::size_t> length = LineLength(name);
  if (!length) {
    return absl::InvalidArgumentError("name: no control or direction characters, valid UTF-8");
  }
  if (*length < 1 || *length > kNameMax) {
    return absl::InvalidArgumentError("name: 1 to 100 characters");
  }
  return absl::OkStatus();
}

absl::Status CheckRole(v1::UserRole role) {
  if (role == v1::USER_ROLE_USER || role == v1::USER_ROLE_ADMIN) return absl::OkStatus();
  return absl::InvalidArgumentError("role: USER or ADMIN");
}

absl::Status CheckState(v1::UserState state) {
  if (state == v1::USER_STATE_ACTIVE || state == v1::USER_STATE_DISABLED) return absl::OkStatus();
  return absl::InvalidArgumentError("state: ACTIVE or DISABLED");
}

absl::Status CheckReason(const std::string& reason) {
  if (reason.size() <= kReasonMax) return absl::OkStatus();
  return absl::InvalidArgumentError("reason: over 500 bytes");
}

absl::StatusOr<v1::UserKey> ReadKey(const v1::UserKey& key) {
  if (key.key_case() == v1::UserKey::kId) return key;
  if (key.key_case() != v1::UserKey::kEmail) {
    return absl::InvalidArgumentError("user: an id or an e-mail");
  }
  v1::UserKey lower;
  lower.set_email(absl::AsciiStrToLower(key.email()));
  return lower;
}

absl::StatusOr<v1::User> ReadNewUser(const v1::CreateUserRequest& request) {
  const absl::StatusOr<std::string> email = ReadEmail(request.email());
  if (!email.ok()) return email.status();
  if (absl::Status s = CheckName(request.name()); !s.ok()) return s;
  if (absl::Status s = CheckRole(request.role()); !s.ok()) return s;
  if (static_cast<std::size_t>(request.client_ids_size()) > kLinksMax) {
    return absl::InvalidArgumentError("client_ids: at most 100");
  }
  v1::User user;
  user.set_email(*email);
  user.set_name(request.name());
  user.set_role(request.role());
  user.set_state(v1::USER_STATE_ACTIVE);
  user.set_must_change_password(true);
  user.set_created_at_us(NowMicros());
  for (const std::string& id :
       std::set<std::string>(request.client_ids().begin(), request.client_ids().end())) {
    if (id.empty() || id.size() > kClientIdMax) {
      return absl::InvalidArgumentError("client_ids: 1 to 64 characters each");
    }
    user.add_client_ids(id);
  }
  return user;
}

std::string ReadAddress(const std::string& address) { return Printable(address, kAddressMax); }

std::string ReadUserAgent(const std::string& user_agent) {
  return Printable(user_agent, kUserAgentMax);
}

}  // namespace postern::identity
