#pragma once

#include <chrono>

namespace postern::edge {

// The time between the starts of two pipelines to the queue: `base`, and more while registrations
// take long, up to kFlushIntervalMax. The main server answers a registration when the message is
// delivered, so old ones mean that deliveries lag behind what is accepted. Fuller pipelines leave
// them processor and disk: every message is still accepted, at most kFlushIntervalMax later.
// `registration_age`: of the oldest registration under way, 0 when there is none.
std::chrono::microseconds FlushInterval(std::chrono::microseconds base,
                                        std::chrono::milliseconds registration_age);

}  // namespace postern::edge
