#pragma once

#include <grpcpp/grpcpp.h>

#include "services/messages/limits.h"

namespace postern::messages {

// OK for 1 to kBatchMax items.
inline grpc::Status CheckBatchSize(int size) {
  if (size >= 1 && size <= kBatchMax) return grpc::Status::OK;
  return {grpc::StatusCode::INVALID_ARGUMENT, "a batch has 1 to 1000 items"};
}

inline grpc::Status TooMuchInHand() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too much in hand, try again after a second"};
}

}  // namespace postern::messages
