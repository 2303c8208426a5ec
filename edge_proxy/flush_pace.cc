#include "edge_proxy/flush_pace.h"

#include <algorithm>

#include "edge_proxy/limits.h"

namespace postern::edge {

std::chrono::microseconds FlushInterval(std::chrono::microseconds base, std::size_t messages,
                                        std::chrono::milliseconds registration_age) {
  const auto late = std::clamp(registration_age - kRegistrationAgeUsual,
                               std::chrono::milliseconds(0), kRegistrationAgeSpan);
  const std::chrono::microseconds paced = std::chrono::seconds(messages);
  return std::max(base,
                  paced / kPacedMessagesPerSecond * late.count() / kRegistrationAgeSpan.count());
}

}  // namespace postern::edge
