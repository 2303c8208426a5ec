#include "edge_proxy/message_rules.h"

#include <algorithm>

#include "edge_proxy/limits.h"

namespace postern::edge {
namespace {

bool IsVisibleAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace

bool IsE164(std::string_view text) {
  if (text.size() < kNumberDigitsMin + 1 || text.size() > kNumberDigitsMax + 1) return false;
  if (text[0] != '+' || text[1] == '0') return false;
  return std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t CountCodePoints(std::string_view utf8) {
  // Every byte but a continuation byte (10xxxxxx) begins a code point.
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool IsClientRef(std::string_view text) {
  return text.size() <= kClientRefBytesMax && IsVisibleAscii(text);
}

bool IsIdempotencyKey(std::string_view text) {
  return !text.empty() && text.size() <= kIdempotencyKeyBytesMax && IsVisibleAscii(text);
}

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace postern::edge
