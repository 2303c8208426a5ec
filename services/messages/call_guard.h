#pragma once

#include <grpcpp/grpcpp.h>

#include "services/common/base/time.h"
#include "services/messages/limits.h"

namespace postern::messages {

// The deadline of a call on the monotonic clock; a call without one gets a minute.
inline Deadline DeadlineOf(const grpc::ServerContextBase& context) {
  constexpr std::chrono::minutes kDefault{1};
  const auto remaining = context.deadline() - std::chrono::system_clock::now();
  if (remaining > kDefault) return Deadline::After(kDefault);
  return Deadline::After(std::chrono::duration_cast<Deadline::Clock::duration>(remaining));
}

// OK for 1 to kBatchMax items.
inline grpc::Status CheckBatchSize(int size) {
  if (size >= 1 && size <= kBatchMax) return grpc::Status::OK;
  return {grpc::StatusCode::INVALID_ARGUMENT, "a batch has 1 to 1000 items"};
}

inline grpc::Status TooMuchInHand() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too much in hand, try again after a second"};
}

}  // namespace postern::messages
