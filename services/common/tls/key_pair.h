#pragma once

#include "absl/status/statusor.h"
#include "services/common/crypto/secret.h"
#include "services/common/tls/settings.h"

namespace postern::tls {

// The certificate chain and its key, PEM, one after the other, as the two files hold them now.
// FailedPrecondition when they do not belong together, as for a moment while both are replaced; or
// names the file that cannot be used.
absl::StatusOr<crypto::Secret> ReadKeyPair(const Files& files);

}  // namespace postern::tls
