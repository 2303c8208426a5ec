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
// FNV-1a of the client id, so that a client's messages share a shard and keep their order.
std::uint32_t ShardOf(std::string_view client_id);

}  // namespace postern::redis
