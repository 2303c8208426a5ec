#include "edge_proxy/submit_script.h"

#include <openssl/evp.h>

#include <algorithm>
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
// How many keys live is counted in blocks of ARGV[7]: `n` counts a client's keys, and the first of
// each block takes room for all of it, at the client and at the shard, under the hour in which it
// does so: an hour's keys are all gone 25 hours after it began. So most messages cost one counter,
// and a script has little to do; every call and every number in it costs Redis about a microsecond.
// KEYS: stream, record, count of the client, count of the shard, count of the day. ARGV: field,
// envelope, record, lifetime in ms, the limits of client and shard, the size of a block, and the
// limit of the day.
constexpr std::string_view kScript = R"lua(
local keyed = ARGV[3] ~= ''
if keyed then
  local record = redis.call('GET', KEYS[2])
  if record then return {2, record} end
end
local limited = ARGV[8] ~= '0'
local day, left, sent
if limited then
  local now = tonumber(redis.call('TIME')[1])
  day = math.floor(now / 86400)
  left = (day + 1) * 86400 - now
  sent = 0
  local seen = redis.call('HMGET', KEYS[5], 'day', 'sent')
  if tonumber(seen[1]) == day then sent = tonumber(seen[2]) end
  if sent >= tonumber(ARGV[8]) then return {5, left} end
end
if keyed then
  local step = tonumber(ARGV[7])
  if (redis.call('HINCRBY', KEYS[3], 'n', '1') - 1) % step == 0 then
    local now = tonumber(redis.call('TIME')[1])
    local hour = math.floor(now / 3600)
    local function full(key, limit)
      local live, first = 0, hour
      local slots = redis.call('HGETALL', key)
      for i = 1, #slots, 2 do
        local slot = tonumber(slots[i])
        if slot and hour - slot > 24 then
          redis.call('HDEL', key, slots[i])
        elseif slot then
          live = live + tonumber(slots[i + 1])
          if slot < first then first = slot end
        end
      end
      if live + step > tonumber(limit) then return (first + 25) * 3600 - now end
    end
    local code, wait = 3, full(KEYS[3], ARGV[5])
    if not wait then code, wait = 4, full(KEYS[4], ARGV[6]) end
    if wait then
      redis.call('HINCRBY', KEYS[3], 'n', '-1')
      return {code, wait}
    end
    for i = 3, 4 do
      redis.call('HINCRBY', KEYS[i], hour, step)
      redis.call('EXPIRE', KEYS[i], '93600')
    end
  end
end
local entry = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
if limited then
  sent = sent + 1
  redis.call('HSET', KEYS[5], 'day', day, 'sent', sent)
  redis.call('EXPIRE', KEYS[5], '172800')
end
if keyed then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
if limited then return {1, entry, sent, left} end
return {1, entry}
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

// How many keys are counted at one time: one where the limits are so small that it matters.
std::int64_t CountStep(const SubmitTerms& terms) {
  return std::min(terms.keys_per_client, terms.keys_per_shard) < kKeysCountedExactlyBelow
             ? 1
             : kKeyCountStep;
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
      std::to_string(terms.keys_per_shard), std::to_string(CountStep(terms)),
      std::to_string(terms.messages_per_day));
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
      result.kind = Kind::kAdded;
      read.entry_id = redis::Text(value);
      if (raw.elements != 4) return read;
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
