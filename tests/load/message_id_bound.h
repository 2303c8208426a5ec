#pragma once

#include <cstdint>
#include <string>

namespace postern::load {

// The lowest UUIDv7 of a millisecond, 16 bytes: ids of that moment and later are not below it.
// `millis`: since the Unix epoch.
inline std::string FirstIdAt(std::int64_t millis) {
  std::string id(16, '\0');
  for (int i = 5; i >= 0; --i, millis >>= 8) {
    id[static_cast<std::size_t>(i)] = static_cast<char>(millis & 0xff);
  }
  return id;
}

}  // namespace postern::load
