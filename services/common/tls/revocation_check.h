#pragma once

#include <functional>

#include "absl/status/status.h"
#include "services/common/tls/identity.h"

namespace postern::tls {

// Decides whether the holder of a verified certificate may speak: revocation. The error's message
// is one word for logs and metrics. Asked in every handshake, resumed ones too: thread-safe, never
// blocks.
using RevocationCheck = std::function<absl::Status(const CertificateRef&)>;

}  // namespace postern::tls
