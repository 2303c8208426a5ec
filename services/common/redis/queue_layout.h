#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::redis {

// How the queue lies in Redis. One stream per shard; a shard's keys share a hash tag, so that a
// Redis Cluster can spread shards.
inline constexpr std::uint32_t kShards = 16;
inline constexpr std::string_view kConsumerGroup = "workers";
// The one field of an entry: a serialised postern.v1.Envelope.
inline constexpr std::string_view kEnvelopeField = "e";

// `postern:{<shard>}:messages`.
const std::string& StreamKey(std::uint32_t shard);
// `postern:{<shard>}:requeued`: how many entries of the stream were put there again by the
// reconciler or a re-drive. Raised in the same script as the entry is added, so that accepted =
// entries-added - requeued.
const std::string& RequeuedKey(std::uint32_t shard);
// `postern:{<shard>}:idem:<name>`: what is kept beside an idempotency key for its lifetime. `name`:
// 16 bytes, a keyed hash of the client's key.
std::string IdempotencyKey(std::uint32_t shard, std::string_view name);
// How many idempotency keys of a client, and of all clients of the shard, live; by the hour in
// which they were set.
std::string ClientKeysKey(std::uint32_t shard, std::string_view client_id);
const std::string& ShardKeysKey(std::uint32_t shard);
// How many messages a client with a daily limit has sent today.
std::string DayKey(std::uint32_t shard, std::string_view client_id);
// FNV-1a of the client id, so that a client's messages share a shard and keep their order.
std::uint32_t ShardOf(std::string_view client_id);

}  // namespace postern::redis
