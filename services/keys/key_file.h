#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/crypto/secret.h"

namespace postern::keys {

// Reads a file of 256-bit keys, of which group and others must have no rights. Either one key
// alone, which is version 1, or a line `<version>:<key>` for each, versions from 1. A key is 64
// hexadecimal digits or base64 of 32 bytes. Empty lines and lines that begin with `#` are skipped.
// Errors name the file and the line, never what it holds.
absl::StatusOr<std::map<std::uint32_t, crypto::Secret>> ReadKeyFile(const std::string& path);

// The same from a text; `name` stands for the file in errors.
absl::StatusOr<std::map<std::uint32_t, crypto::Secret>> ParseKeys(const std::string& name,
                                                                  std::string_view text);

}  // namespace postern::keys
