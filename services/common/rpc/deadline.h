#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>

#include "services/common/base/time.h"

namespace postern::rpc {

// By when a handler has to answer: the caller's deadline, or `at_most` from now when the caller
// gave none or a later one.
inline Deadline CallDeadline(const grpc::ServerContextBase& context,
                             std::chrono::milliseconds at_most) {
  // Compared as times of the system's clock: a caller without deadline has time_point::max(), whose
  // distance overflows.
  const auto now = std::chrono::system_clock::now();
  const auto end =
      std::min<std::chrono::system_clock::time_point>(context.deadline(), now + at_most);
  return Deadline::After(std::chrono::duration_cast<Deadline::Clock::duration>(end - now));
}

}  // namespace postern::rpc
