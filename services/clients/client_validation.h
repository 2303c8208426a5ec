#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "postern/v1/client_service.pb.h"

namespace postern::clients {

// A client as it is to be registered: every field valid and in its normal form.
struct NewClient {
  std::string client_id;
  std::string domain;              // Lower case.
  std::string certificate_sha256;  // 64 lower-case hexadecimal digits, or empty.
};

// InvalidArgument names every field that is wrong, as `client_id: …; domain: …`.
absl::StatusOr<NewClient> ValidateNewClient(const v1::CreateClientRequest& request);

// InvalidArgument names every limit that is out of its range.
absl::Status ValidateLimits(const v1::ClientLimits& limits);

}  // namespace postern::clients
