#include "services/common/base/utf8.h"

#include <cstdint>

namespace postern {

std::optional<CodePoint> FirstCodePoint(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return CodePoint{lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return std::nullopt;
  char32_t value = lead & (0xFF >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
    value = (value << 6) | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[size] || value > 0x10FFFF || surrogate) return std::nullopt;
  return CodePoint{value, size};
}

std::optional<std::size_t> LineLength(std::string_view text) {
  std::size_t length = 0;
  while (!text.empty()) {
    const std::optional<CodePoint> c = FirstCodePoint(text);
    if (!c || IsControl(c->value) || IsFormatting(c->value)) return std::nullopt;
    text.remove_prefix(c->size);
    ++length;
  }
  return length;
}

}  // namespace postern
