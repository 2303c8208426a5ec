#include "worker/ack_buffer.h"

#include <span>
#include <string_view>
#include <utility>

#include "services/common/redis/command.h"

namespace postern::worker {
namespace {

constexpr std::size_t kMaxIdLength = 41;

// The ids as text: `views` point into `text`.
struct IdTexts {
  explicit IdTexts(const std::vector<EntryId>& ids) {
    text.reserve(ids.size() * kMaxIdLength);  // The views need a text that does not move.
    views.reserve(ids.size());
    for (const EntryId& id : ids) {
      const std::size_t begin = text.size();
      id.AppendTo(text);
      views.emplace_back(text.data() + begin, text.size() - begin);
    }
  }
  std::string text;
  std::vector<std::string_view> views;
};

}  // namespace

void AckBuffer::Add(const EntryKey& key) {
  ids_.at(key.shard).push_back(key.id);
  ++size_;
}

void AckBuffer::Merge(AckBuffer&& other) {
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    ids_[shard].insert(ids_[shard].end(), other.ids_[shard].begin(), other.ids_[shard].end());
  }
  size_ += other.size_;
  other = AckBuffer();
}

std::size_t AckBuffer::AppendCommands(std::string& wire) const {
  std::size_t commands = 0;
  std::vector<std::string_view> arguments;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    if (ids_[shard].empty()) continue;
    const IdTexts ids(ids_[shard]);
    arguments = {"XDEL", redis::StreamKey(shard)};
    arguments.insert(arguments.end(), ids.views.begin(), ids.views.end());
    redis::AppendCommand(wire, std::span<const std::string_view>(arguments));
    arguments = {"XACK", redis::StreamKey(shard), redis::kConsumerGroup};
    arguments.insert(arguments.end(), ids.views.begin(), ids.views.end());
    redis::AppendCommand(wire, std::span<const std::string_view>(arguments));
    commands += 2;
  }
  return commands;
}

}  // namespace postern::worker
