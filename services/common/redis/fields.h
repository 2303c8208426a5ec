#pragma once

#include <hiredis/hiredis.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::redis {

// XINFO and its like answer with names and values in turn. The value that follows `name`; null when
// there is none.
const redisReply* FindField(const redisReply& list, std::string_view name);
// The same as a number, and as text (empty when there is none).
std::optional<std::int64_t> IntegerField(const redisReply& list, std::string_view name);
std::string_view TextField(const redisReply& list, std::string_view name);

// The text of a string or status; empty for anything else.
std::string_view Text(const redisReply& reply);

}  // namespace postern::redis
