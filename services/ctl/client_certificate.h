#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace postern::ctl {

// The SHA-256 of the first certificate in a PEM file, 64 lower-case digits. FailedPrecondition when
// the file holds none, when it has ended, or when it does not name `client_id`: the edge would
// refuse it.
absl::StatusOr<std::string> ClientCertificateSha256(const std::string& pem_path,
                                                    const std::string& client_id);

}  // namespace postern::ctl
