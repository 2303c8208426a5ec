#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace postern {

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 1;  // In bytes.
};

// The code point that `text`, which is not empty, begins with, or nothing where it is not UTF-8.
std::optional<CodePoint> FirstCodePoint(std::string_view text);

inline bool IsControl(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// Marks and overrides of writing direction, and line separators.
inline bool IsFormatting(char32_t c) {
  return c == 0x061C || (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

inline bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// How many code points a line of text has; nothing when it is not UTF-8 or holds a control or
// formatting character.
std::optional<std::size_t> LineLength(std::string_view text);

}  // namespace postern
