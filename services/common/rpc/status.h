#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"

namespace postern::rpc {

// The codes are the same numbers; the message goes with it. Internal and Unknown go without their
// message: details are for the log.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace postern::rpc
