#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/secret.h"

namespace postern::portal {

// Who is signed in, as the browser keeps it for us: sealed, so that nobody but the portals can read
// or change it. What it says about the user is for display; what he may do the main server decides
// at every call, by the access token.
struct Session {
  std::string id;  // 16 random bytes; new with every login.
  std::string access_token;
  std::int64_t access_expires_at_us = 0;
  std::string refresh_token;
  std::int64_t refresh_expires_at_us = 0;
  std::string user_id;
  std::string name;
  bool admin = false;
  // Only the change of the password is open to the user.
  bool password_change_required = false;
};

// The keys of the portals, 32 bytes each: the first seals, all of them open, so that a key can be
// changed while people work. NotFound, FailedPrecondition or InvalidArgument name the file and what
// is wrong: it holds one to four lines of 64 hexadecimal digits, mode 0600.
absl::StatusOr<std::vector<crypto::Secret>> ReadPortalKeys(const std::string& path);

// Seals and opens sessions. Not thread-safe: one per lane.
class SessionSealer {
 public:
  explicit SessionSealer(const std::vector<crypto::Secret>& keys);
  // Base64url, for a cookie.
  std::string Seal(const Session& session);
  // Nullopt for what no portal has sealed, or not as a session.
  std::optional<Session> Open(std::string_view cookie);

 private:
  std::vector<crypto::Aead> keys_;
};

}  // namespace postern::portal
