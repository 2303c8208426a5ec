#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// A property of the code under test that no input may break.
#define FUZZ_REQUIRE(condition)                                            \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

namespace postern::fuzz {

inline std::string_view View(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Takes `count` bytes off the front, or what there is.
inline std::string_view Take(std::string_view& input, std::size_t count) {
  const std::string_view front = input.substr(0, count);
  input.remove_prefix(front.size());
  return front;
}

// One byte off the front; 0 when there is none.
inline unsigned TakeByte(std::string_view& input) {
  const std::string_view byte = Take(input, 1);
  return byte.empty() ? 0 : static_cast<unsigned char>(byte.front());
}

}  // namespace postern::fuzz
