#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace postern::identity {

// bcrypt (libxcrypt, prefix `$2b$`) with a random salt. Takes 2^cost steps: a quarter of a second
// at 12. InvalidArgument for over 72 bytes or a NUL, which bcrypt would not see.
absl::StatusOr<std::string> HashPassword(std::string_view password, int cost);

// Whether this is the password of the hash; takes as long as making it did. A password that
// HashPassword refuses is none, after the same time.
bool CheckPassword(std::string_view password, const std::string& hash);

// Whether the hash is of another cost, or not bcrypt at all.
bool NeedsRehash(const std::string& hash, int cost);

// What somebody chose: 12 characters to 72 bytes of UTF-8 without control characters, not the
// e-mail or the name. InvalidArgument that begins with `new_password: `.
absl::Status CheckNewPassword(std::string_view password, std::string_view email,
                              std::string_view name);

// 20 letters and digits that cannot be mistaken for each other, in groups of four: 99 bits.
std::string MakeOneTimePassword();

}  // namespace postern::identity
