#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace postern {

// Lower-case hexadecimal.
std::string HexEncode(std::string_view bytes);
// Either case; InvalidArgument for an odd length or another character.
absl::StatusOr<std::string> HexDecode(std::string_view text);

// A fingerprint as people paste it (`AB:CD:…` or plain hexadecimal, any case) as 64 lower-case
// digits; InvalidArgument otherwise.
absl::StatusOr<std::string> NormalizeSha256Hex(std::string_view text);

}  // namespace postern
