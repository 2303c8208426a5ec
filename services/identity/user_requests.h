#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/user_service.pb.h"

// What requests say, checked. InvalidArgument begins with the field's name and a colon.
namespace postern::identity {

// Lower case, of a form that an e-mail can have, at most 120 characters.
absl::StatusOr<std::string> ReadEmail(const std::string& email);
// 1 to 100 characters without control characters.
absl::Status CheckName(const std::string& name);
absl::Status CheckRole(v1::UserRole role);
absl::Status CheckState(v1::UserState state);
absl::Status CheckReason(const std::string& reason);
// With the e-mail in lower case.
absl::StatusOr<v1::UserKey> ReadKey(const v1::UserKey& key);
// A new user, active and with a password to change.
absl::StatusOr<v1::User> ReadNewUser(const v1::CreateUserRequest& request);

// What a portal says of a browser: cut to its column, other than printable ASCII as `?`.
std::string ReadAddress(const std::string& address);
std::string ReadUserAgent(const std::string& user_agent);

}  // namespace postern::identity
