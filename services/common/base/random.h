#pragma once

#include <cstdint>
#include <span>

namespace postern {

// Fills `out` from OpenSSL's public generator. Ends the process when there is no entropy: nothing
// safe can be done then. Thread-safe.
void FillRandom(std::span<std::uint8_t> out);

}  // namespace postern
