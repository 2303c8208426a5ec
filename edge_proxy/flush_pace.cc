#include "edge_proxy/flush_pace.h"

#include <algorithm>

#include "edge_proxy/limits.h"

namespace postern::edge {

std::chrono::microseconds FlushInterval(std::chrono::microseconds base,
                                        std::chrono::milliseconds registration_age) {
  const auto late = std::clamp(registration_age - kRegistrationAgeUsual,
                               std::chrono::milliseconds(0), kRegistrationAgeSpan);
  const std::chrono::microseconds most = std::max(base, kFlushIntervalMax);
  return base + (most - base) * late.count() / kRegistrationAgeSpan.count();
}

}  // namespace postern::edge
