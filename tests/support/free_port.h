#pragma once

#include <cstdint>

namespace postern::test {

// A TCP port of 127.0.0.1 that was free a moment ago. Somebody may take it before you do: servers
// of our own listen on port 0 instead, and what starts a foreign server on it should be ready to
// try again. Throws when the system has none.
std::uint16_t FreePort();

}  // namespace postern::test
