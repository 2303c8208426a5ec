#pragma once

#include <cstddef>
#include <string_view>

namespace postern::edge {

// `+`, then kNumberDigitsMin to kNumberDigitsMax digits of which the first is not 0.
bool IsE164(std::string_view text);

// Code points in valid UTF-8.
std::size_t CountCodePoints(std::string_view utf8);

// At most kClientRefBytesMax characters from `!` to `~`.
bool IsClientRef(std::string_view text);

// 1 to kIdempotencyKeyBytesMax characters from `!` to `~`.
bool IsIdempotencyKey(std::string_view text);

bool HasNul(std::string_view text);

}  // namespace postern::edge
