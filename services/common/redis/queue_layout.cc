#include "services/common/redis/queue_layout.h"

#include <array>

#include "services/common/base/strings.h"

namespace postern::redis {
namespace {

using Keys = std::array<std::string, kShards>;

Keys MakeKeys(std::string_view kind) {
  Keys keys;
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    keys[shard] = StrCat("postern:{", shard, "}:", kind);
  }
  return keys;
}

}  // namespace

const std::string& StreamKey(std::uint32_t shard) {
  static const Keys keys = MakeKeys("messages");
  return keys.at(shard);
}

const std::string& RequeuedKey(std::uint32_t shard) {
  static const Keys keys = MakeKeys("requeued");
  return keys.at(shard);
}

std::string IdempotencyKey(std::uint32_t shard, std::string_view name) {
  static const Keys prefixes = MakeKeys("idem:");
  std::string key;
  key.reserve(prefixes.at(shard).size() + name.size());
  return key.append(prefixes.at(shard)).append(name);
}

std::string ClientKeysKey(std::uint32_t shard, std::string_view client_id) {
  return StrCat("postern:{", shard, "}:keys:", client_id);
}

const std::string& ShardKeysKey(std::uint32_t shard) {
  static const Keys keys = MakeKeys("keys");
  return keys.at(shard);
}

std::string DayKey(std::uint32_t shard, std::string_view client_id) {
  return StrCat("postern:{", shard, "}:day:", client_id);
}

std::uint32_t ShardOf(std::string_view client_id) {
  constexpr std::uint32_t kOffsetBasis = 2166136261U;
  constexpr std::uint32_t kPrime = 16777619U;
  std::uint32_t hash = kOffsetBasis;
  for (const char character : client_id) {
    hash = (hash ^ static_cast<unsigned char>(character)) * kPrime;
  }
  return hash % kShards;
}

}  // namespace postern::redis
