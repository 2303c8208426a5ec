#pragma once

#include <hiredis/hiredis.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::worker {

// A stream entry's id, `<milliseconds>-<sequence>`.
struct EntryId {
  std::uint64_t milliseconds = 0;
  std::uint64_t sequence = 0;

  static std::optional<EntryId> Parse(std::string_view text);
  void AppendTo(std::string& out) const;
  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};

// Where an entry lies: unique in the whole queue.
struct EntryKey {
  std::uint32_t shard = 0;
  EntryId id;

  friend bool operator==(const EntryKey&, const EntryKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const EntryKey& key) {
    return H::combine(std::move(h), key.shard, key.id.milliseconds, key.id.sequence);
  }
};

// An entry as it stands in a reply; its views live as long as the reply.
struct QueueEntry {
  EntryKey key;
  std::string_view id_text;
  // The envelope's bytes, if the entry has exactly the one field that it should have.
  std::optional<std::string_view> envelope;
  const redisReply* fields = nullptr;

  // All that the entry holds: the envelope's bytes, or else names and values, a NUL after each.
  std::string RawContent() const;
};

// Appends the entries of one shard (`[[id, [name, value, …]], …]`) to `out`. Entries that were
// deleted meanwhile have no fields and are left out. False for another form of reply.
bool AppendEntries(const redisReply& entries, std::uint32_t shard, std::vector<QueueEntry>& out);
// The same for the reply to XREADGROUP: nil, or `[[stream, entries], …]`.
bool AppendStreams(const redisReply& reply, std::vector<QueueEntry>& out);

}  // namespace postern::worker
