#pragma once

#include <chrono>
#include <cstddef>

namespace postern::edge {

// The time between the starts of two pipelines to the queue: `base`, and more while registrations
// take long. The main server answers a registration when the message is delivered, so old ones mean
// that deliveries lag behind what is accepted: then a lane gives them processor and disk, the more
// the later they are, down to kPacedMessagesPerSecond. Every message is still accepted. Where less
// comes in, nothing is held up.
// `messages`: in the pipeline before. `registration_age`: of the oldest registration under way, 0
// when there is none.
std::chrono::microseconds FlushInterval(std::chrono::microseconds base, std::size_t messages,
                                        std::chrono::milliseconds registration_age);

}  // namespace postern::edge
