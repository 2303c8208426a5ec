#pragma once

#include <functional>
#include <string_view>

#include "absl/status/status.h"

namespace postern::tls {

// Decides whether the holder of a verified certificate may speak, by its serial number
// (lower-case hexadecimal, no leading zeros, as PeerCertificate has it): revocation. The error's
// message is one word for logs. Asked in every handshake, resumed ones too: thread-safe, never
// blocks.
using SerialCheck = std::function<absl::Status(std::string_view serial_hex)>;

}  // namespace postern::tls
