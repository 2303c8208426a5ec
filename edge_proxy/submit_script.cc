#include "edge_proxy/submit_script.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "edge_proxy/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/redis/command.h"
#include "services/common/redis/fields.h"
#include "services/common/redis/queue_layout.h"

namespace postern::edge {
namespace {

// The message first, its key last: between the two a message would be there twice when its client
// sends it again, where the other order would answer for a message that is not there. Redis runs a
// script whole and writes it to its file as one transaction, so neither comes about.
//
// Every call and every value that comes in costs Redis about a microsecond, so most messages with a
// key go by a script that does no more than it has to, those of a shard together. KEYS: stream, a
// record of each message. ARGV: envelope and record of each.
std::string KeyedText() {
  return StrCat(R"lua(
local replies = {}
for i = 1, #ARGV / 2 do
  local key = KEYS[i + 1]
  local record = redis.call('GET', key)
  if record then
    replies[i] = {2, record}
  else
    replies[i] = {1, redis.call('XADD', KEYS[1], '*', ')lua",
                redis::kEnvelopeField, R"lua(', ARGV[2 * i - 1])}
    redis.call('SET', key, ARGV[2 * i], 'PX', ')lua",
                std::chrono::milliseconds(kIdempotencyLifetime).count(), R"lua(')
  end
end
return replies
)lua");
}

// The same of one message, and first the limit of the day, and a block of keys. Blocks are counted
// by client and by shard under the hour in which they are taken: an hour's keys are all gone 25
// hours after it began. KEYS: stream, record, blocks of the client, blocks of the shard, count of
// the day. ARGV: field, envelope, record, lifetime in ms, the limits of client and shard, the size
// of the block or 0, and the limit of the day or 0.
constexpr std::string_view kFullText = R"lua(
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
if ARGV[7] ~= '0' then
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
    if live + tonumber(ARGV[7]) > tonumber(limit) then return (first + 25) * 3600 - now end
  end
  local wait = full(KEYS[3], ARGV[5])
  if wait then return {3, wait} end
  wait = full(KEYS[4], ARGV[6])
  if wait then return {4, wait} end
  for i = 3, 4 do
    redis.call('HINCRBY', KEYS[i], hour, ARGV[7])
    redis.call('EXPIRE', KEYS[i], '93600')
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

struct Script {
  explicit Script(std::string lua) : text(std::move(lua)) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    hash = HexEncode(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
  }
  // What calls it; `known`: by its hash, and it is known from now on.
  std::string_view Command(bool known) const { return known ? "EVALSHA" : "EVAL"; }
  std::string_view Body(bool known) const { return known ? hash : text; }

  std::string text;
  std::string hash;
};

absl::Status NotOfTheScript() {
  return absl::InternalError("the queue's answer is not one of the script");
}

}  // namespace

std::int64_t KeyBlockMax(const SubmitTerms& terms) {
  return std::min(terms.keys_per_client, terms.keys_per_shard) < kKeysCountedExactlyBelow
             ? 1
             : kKeyBlock;
}

void AppendKeyedMessages(std::string& wire, std::uint32_t shard,
                         std::span<const KeyedMessage> messages, KnownScripts& known) {
  static const Script script(KeyedText());
  const std::string count = std::to_string(1 + messages.size());
  std::vector<std::string> keys;
  keys.reserve(messages.size());
  std::vector<std::string_view> arguments{script.Command(known.keyed), script.Body(known.keyed),
                                          count, redis::StreamKey(shard)};
  for (const KeyedMessage& message : messages) {
    keys.push_back(redis::IdempotencyKey(shard, message.terms->key_name));
    arguments.emplace_back(keys.back());
  }
  for (const KeyedMessage& message : messages) {
    arguments.push_back(message.envelope);
    arguments.emplace_back(message.terms->record);
  }
  redis::AppendCommand(wire, std::span<const std::string_view>(arguments));
  known.keyed = true;
}

void AppendSubmit(std::string& wire, std::uint32_t shard, std::string_view envelope,
                  const SubmitTerms& terms, std::int64_t block, KnownScripts& known) {
  static const Script script{std::string(kFullText)};
  static const std::string lifetime =
      std::to_string(std::chrono::milliseconds(kIdempotencyLifetime).count());
  // A name is needed in each place, and one of the same shard.
  const std::string record_key = terms.key_name.empty()
                                     ? redis::StreamKey(shard)
                                     : redis::IdempotencyKey(shard, terms.key_name);
  redis::AppendCommand(
      wire, script.Command(known.full), script.Body(known.full), "5", redis::StreamKey(shard),
      record_key, redis::ClientKeysKey(shard, terms.client_id), redis::ShardKeysKey(shard),
      redis::DayKey(shard, terms.client_id), redis::kEnvelopeField, envelope, terms.record,
      lifetime, std::to_string(terms.keys_per_client), std::to_string(terms.keys_per_shard),
      std::to_string(block), std::to_string(terms.messages_per_day));
  known.full = true;
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
