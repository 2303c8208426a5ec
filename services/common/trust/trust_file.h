#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/certificate_service.pb.h"

// The file in which a program keeps what it last heard of revocations: a line with a format number
// and the SHA-256 of the rest, then one WatchTrustResponse with everything. The CRLs in it carry
// their CA's signatures; the sum is there to tell a torn file.
namespace postern::trust {

// Replaces the file as a whole.
absl::Status WriteTrustFile(const std::string& path, const v1::WatchTrustResponse& state);
// NotFound when there is none, DataLoss when it is torn or something else; both say what to do.
absl::StatusOr<v1::WatchTrustResponse> ReadTrustFile(const std::string& path);

}  // namespace postern::trust
