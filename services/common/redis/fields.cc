#include "services/common/redis/fields.h"

namespace postern::redis {

std::string_view Text(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

const redisReply* FindField(const redisReply& list, std::string_view name) {
  if (list.type != REDIS_REPLY_ARRAY) return nullptr;
  for (std::size_t i = 0; i + 1 < list.elements; i += 2) {
    if (Text(*list.element[i]) == name) return list.element[i + 1];
  }
  return nullptr;
}

std::optional<std::int64_t> IntegerField(const redisReply& list, std::string_view name) {
  const redisReply* const value = FindField(list, name);
  if (value == nullptr || value->type != REDIS_REPLY_INTEGER) return std::nullopt;
  return value->integer;
}

std::string_view TextField(const redisReply& list, std::string_view name) {
  const redisReply* const value = FindField(list, name);
  return value == nullptr ? std::string_view() : Text(*value);
}

}  // namespace postern::redis
