#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "services/common/tls/settings.h"

// Two files that change together. Whoever is killed in between leaves what FinishReplacing puts
// right; whoever reads in between finds a key that does not belong to the certificate, and looks
// again.
namespace postern::trust {

// Puts a new certificate and its key in the place of the old ones. The certificate keeps its file's
// mode, the key gets 0600.
absl::Status ReplaceKeyPair(const tls::Files& files, std::string_view chain_pem,
                            std::string_view key_pem);

// Ends what a process began that was killed while it replaced them. To be called before the files
// are read. An error only when there is something to end and that fails.
absl::Status FinishReplacing(const tls::Files& files);

}  // namespace postern::trust
