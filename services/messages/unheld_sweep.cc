#include "services/messages/unheld_sweep.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/redis/command.h"
#include "services/common/redis/fields.h"
#include "services/messages/limits.h"

namespace postern::messages {
namespace {

constexpr char kBegin[] = "-";
constexpr char kConsumer[] = "reconciler";

// KEYS: stream. ARGV: group, where to begin, entries at most, consumer, idle milliseconds, `look`
// or `give`. Answers how many entries nobody holds, and where to go on (empty: at the end). One
// step: an entry that is read meanwhile is pending from that moment.
constexpr char kSweepScript[] = R"(
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then
  if string.find(groups.err, 'no such key', 1, true) then return {0, ''} end
  return groups
end
local last
for _, row in ipairs(groups) do
  local group = {}
  for i = 1, #row, 2 do group[row[i]] = row[i + 1] end
  if group['name'] == ARGV[1] then last = group['last-delivered-id'] end
end
if not last or last == '0-0' then return {0, ''} end
local entries = redis.call('XRANGE', KEYS[1], ARGV[2], last, 'COUNT', ARGV[3])
if #entries == 0 then return {0, ''} end
local first, final = entries[1][1], entries[#entries][1]
local held = {}
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], first, final, 2147483647)) do
  held[row[1]] = true
end
local claim = {'XCLAIM', KEYS[1], ARGV[1], ARGV[4], 0}
local fixed = #claim
for _, entry in ipairs(entries) do
  if not held[entry[1]] then claim[#claim + 1] = entry[1] end
end
local unheld = #claim - fixed
if unheld > 0 and ARGV[6] == 'give' then
  for _, word in ipairs({'IDLE', ARGV[5], 'FORCE', 'JUSTID'}) do claim[#claim + 1] = word end
  redis.call(unpack(claim))
end
if #entries < tonumber(ARGV[3]) then return {unheld, ''} end
return {unheld, '(' .. final}
)";

}  // namespace

absl::StatusOr<std::int64_t> UnheldSweep::Run(Mode mode) {
  if (ended()) cursors_.fill(kBegin);
  std::int64_t unheld = 0;
  for (int round = 0; round < kSweepRoundsPerRun && !ended(); ++round) {
    const absl::StatusOr<std::int64_t> found = Round(mode);
    if (!found.ok()) return found;
    unheld += *found;
  }
  return unheld;
}

bool UnheldSweep::ended() const {
  return std::all_of(cursors_.begin(), cursors_.end(),
                     [](const std::string& cursor) { return cursor.empty(); });
}

absl::StatusOr<std::int64_t> UnheldSweep::Round(Mode mode) {
  const std::string entries = StrCat(kSweepEntries);
  const std::string idle = StrCat(std::chrono::milliseconds(kSweepIdle).count());
  std::string wire;
  std::size_t commands = 0;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    if (cursors_[shard].empty()) continue;
    redis::AppendCommand(wire, "EVAL", kSweepScript, "1", redis::StreamKey(shard),
                         redis::kConsumerGroup, cursors_[shard], entries, kConsumer, idle,
                         mode == Mode::kLook ? "look" : "give");
    ++commands;
  }
  const auto replies = queue_.Exchange(std::move(wire), commands);
  if (!replies.ok()) return replies.status();
  std::int64_t unheld = 0;
  std::size_t next = 0;
  for (std::string& cursor : cursors_) {
    if (cursor.empty()) continue;
    const redis::Reply& reply = (*replies)[next++];
    if (reply.IsError()) return reply.ToStatus();
    if (!reply.IsArray() || reply.raw().elements != 2) {
      return absl::DataLossError("queue: the sweep's answer has another form");
    }
    unheld += reply.raw().element[0]->integer;
    cursor = std::string(redis::Text(*reply.raw().element[1]));
  }
  return unheld;
}

}  // namespace postern::messages
