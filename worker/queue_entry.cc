#include "worker/queue_entry.h"

#include <array>
#include <charconv>

#include "services/common/redis/queue_layout.h"

namespace postern::worker {
namespace {

std::string_view Text(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

bool IsPair(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY && reply.elements == 2;
}

std::optional<std::uint32_t> ShardOfKey(std::string_view key) {
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    if (redis::StreamKey(shard) == key) return shard;
  }
  return std::nullopt;
}

}  // namespace

std::optional<EntryId> EntryId::Parse(std::string_view text) {
  EntryId id;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, id.milliseconds);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, id.sequence);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return id;
}

void EntryId::AppendTo(std::string& out) const {
  std::array<char, 48> text;
  char* end = std::to_chars(text.data(), text.data() + 20, milliseconds).ptr;
  *end++ = '-';
  end = std::to_chars(end, text.data() + text.size(), sequence).ptr;
  out.append(text.data(), end);
}

std::string QueueEntry::RawContent() const {
  if (envelope) return std::string(*envelope);
  std::string content;
  for (std::size_t i = 0; fields != nullptr && i < fields->elements; ++i) {
    content.append(Text(*fields->element[i])).push_back('\0');
  }
  return content;
}

bool AppendEntries(const redisReply& entries, std::uint32_t shard, std::vector<QueueEntry>& out) {
  if (entries.type != REDIS_REPLY_ARRAY) return false;
  for (std::size_t i = 0; i < entries.elements; ++i) {
    const redisReply& item = *entries.element[i];
    if (item.type == REDIS_REPLY_NIL) continue;
    if (!IsPair(item)) return false;
    const auto id = EntryId::Parse(Text(*item.element[0]));
    if (!id) return false;
    const redisReply& fields = *item.element[1];
    if (fields.type == REDIS_REPLY_NIL) continue;
    if (fields.type != REDIS_REPLY_ARRAY) return false;
    QueueEntry& entry = out.emplace_back();
    entry.key.shard = shard;
    entry.key.id = *id;
    entry.id_text = Text(*item.element[0]);
    entry.fields = &fields;
    if (fields.elements == 2 && Text(*fields.element[0]) == redis::kEnvelopeField) {
      entry.envelope = Text(*fields.element[1]);
    }
  }
  return true;
}

bool AppendStreams(const redisReply& reply, std::vector<QueueEntry>& out) {
  if (reply.type == REDIS_REPLY_NIL) return true;
  if (reply.type != REDIS_REPLY_ARRAY) return false;
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const redisReply& stream = *reply.element[i];
    if (!IsPair(stream)) return false;
    const auto shard = ShardOfKey(Text(*stream.element[0]));
    if (!shard || !AppendEntries(*stream.element[1], *shard, out)) return false;
  }
  return true;
}

}  // namespace postern::worker
