#include "edge_proxy/submit_script.h"

#include <openssl/evp.h>

#include <array>
#include <chrono>
#include <utility>

#include "edge_proxy/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/redis/command.h"
#include "services/common/redis/fields.h"
#include "services/common/redis/queue_layout.h"

namespace postern::edge {
namespace {

// The message first, its key last: cut between the two, a message is there twice (the register
// takes it once), where the other order would answer for a message that is not there.
//
// How many keys live is counted by the hour in which they were set: an hour's keys are all gone 25
// hours after it began. KEYS: stream, record, count of the client, count of the shard, count of the
// day. ARGV: field, envelope, record, lifetime in ms, and the limits of client, shard and day.
constexpr std::string_view kScript = R"lua(
local now = tonumber(redis.call('TIME')[1])
local hour = math.floor(now / 3600)
local keyed = ARGV[3] ~= ''
local function live(key)
  local seen = redis.call('HMGET', key, 'hour', 'live', hour)
  if tonumber(seen[1]) == hour then
    return {live = tonumber(seen[2]), here = tonumber(seen[3]), old = {}}
  end
  local counted = {live = 0, here = 0, old = {}, fresh = true}
  local slots = redis.call('HGETALL', key)
  for i = 1, #slots, 2 do
    local slot = tonumber(slots[i])
    if slot and hour - slot > 24 then
      table.insert(counted.old, slots[i])
    elseif slot then
      counted.live = counted.live + tonumber(slots[i + 1])
      if slot == hour then counted.here = tonumber(slots[i + 1]) end
    end
  end
  return counted
end
local function room_in(key)
  local first = hour
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local slot = tonumber(name)
    if slot and hour - slot <= 24 and slot < first then first = slot end
  end
  return (first + 25) * 3600 - now
end
local function count(key, counted)
  for _, slot in ipairs(counted.old) do redis.call('HDEL', key, slot) end
  redis.call('HSET', key, 'hour', hour, 'live', counted.live + 1, hour, counted.here + 1)
  if counted.fresh then redis.call('EXPIRE', key, 93600) end
end
local client, shard
if keyed then
  local record = redis.call('GET', KEYS[2])
  if record then return {2, record} end
  client = live(KEYS[3])
  if client.live >= tonumber(ARGV[5]) then return {3, room_in(KEYS[3])} end
  shard = live(KEYS[4])
  if shard.live >= tonumber(ARGV[6]) then return {4, room_in(KEYS[4])} end
end
local limit = tonumber(ARGV[7])
local day = math.floor(now / 86400)
local left = (day + 1) * 86400 - now
local sent = 0
if limit > 0 then
  local seen = redis.call('HMGET', KEYS[5], 'day', 'sent')
  if tonumber(seen[1]) == day then sent = tonumber(seen[2]) end
  if sent >= limit then return {5, left} end
end
local entry = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
if limit > 0 then
  sent = sent + 1
  redis.call('HSET', KEYS[5], 'day', day, 'sent', sent)
  redis.call('EXPIRE', KEYS[5], 172800)
end
if keyed then
  count(KEYS[3], client)
  count(KEYS[4], shard)
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
end
return {1, entry, sent, left}
)lua";

const std::string& ScriptHash() {
  static const std::string hash = [] {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_Digest(kScript.data(), kScript.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return HexEncode(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
  }();
  return hash;
}

absl::Status NotOfTheScript() {
  return absl::InternalError("the queue's answer is not one of the script");
}

}  // namespace

void AppendSubmit(std::string& wire, std::uint32_t shard, std::string_view envelope,
                  const SubmitTerms& terms, bool by_hash) {
  static const std::string lifetime =
      std::to_string(std::chrono::milliseconds(kIdempotencyLifetime).count());
  // A name is needed in each place, and one of the same shard.
  const std::string record_key = terms.key_name.empty()
                                     ? redis::StreamKey(shard)
                                     : redis::IdempotencyKey(shard, terms.key_name);
  redis::AppendCommand(
      wire, by_hash ? "EVALSHA" : "EVAL", by_hash ? std::string_view(ScriptHash()) : kScript, "5",
      redis::StreamKey(shard), record_key, redis::ClientKeysKey(shard, terms.client_id),
      redis::ShardKeysKey(shard), redis::DayKey(shard, terms.client_id), redis::kEnvelopeField,
      envelope, terms.record, lifetime, std::to_string(terms.keys_per_client),
      std::to_string(terms.keys_per_shard), std::to_string(terms.messages_per_day));
}

absl::StatusOr<SubmitReply> ReadSubmitReply(const redis::Reply& reply) {
  if (reply.IsError()) return reply.ToStatus();
  const redisReply& raw = reply.raw();
  if (!reply.IsArray() || raw.elements < 2 || raw.element[0]->type != REDIS_REPLY_INTEGER) {
    return NotOfTheScript();
  }
  using Kind = SubmitResult::Kind;
  const redisReply& value = *raw.element[1];
  SubmitReply read;
  SubmitResult& result = read.result;
  switch (raw.element[0]->integer) {
    case 1:
      if (raw.elements != 4) return NotOfTheScript();
      result.kind = Kind::kAdded;
      read.entry_id = redis::Text(value);
      result.sent_today = raw.element[2]->integer;
      result.retry_after_s = raw.element[3]->integer;
      return read;
    case 2:
      result.kind = Kind::kHeld;
      result.record = redis::Text(value);
      return read;
    case 3:
      result.kind = Kind::kClientFull;
      break;
    case 4:
      result.kind = Kind::kShardFull;
      break;
    case 5:
      result.kind = Kind::kDayFull;
      break;
    default:
      return NotOfTheScript();
  }
  result.retry_after_s = value.integer;
  return read;
}

}  // namespace postern::edge
