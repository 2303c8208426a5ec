#include "services/messages/partition_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "services/common/base/strings.h"

namespace postern::messages {
namespace {

constexpr std::int64_t kSecondsPerHour = 3600;
constexpr std::size_t kStampSize = 10;  // YYYYMMDDHH

std::int64_t Floor(std::int64_t hour, std::int64_t period) { return hour - hour % period; }

// Nothing unless all of `text` is digits.
std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::string Partition::Name() const {
  const auto seconds = static_cast<std::time_t>(from_hour * kSecondsPerHour);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, kStampSize + 1> stamp{};
  std::strftime(stamp.data(), stamp.size(), "%Y%m%d%H", &utc);
  return StrCat("p", stamp.data(), "_", hours);
}

std::optional<Partition> Partition::Parse(std::string_view name) {
  if (name.size() < kStampSize + 3 || name[0] != 'p' || name[kStampSize + 1] != '_') {
    return std::nullopt;
  }
  const std::optional<std::int64_t> stamp = Number(name.substr(1, kStampSize));
  const std::optional<std::int64_t> length = Number(name.substr(kStampSize + 2));
  if (!stamp || !length || *length == 0) return std::nullopt;
  std::tm utc{};
  utc.tm_year = static_cast<int>(*stamp / 1'000'000) - 1900;
  utc.tm_mon = static_cast<int>(*stamp / 10'000 % 100) - 1;
  utc.tm_mday = static_cast<int>(*stamp / 100 % 100);
  utc.tm_hour = static_cast<int>(*stamp % 100);
  Partition partition;
  partition.from_hour = timegm(&utc) / kSecondsPerHour;
  partition.hours = *length;
  // Not the 31st of February.
  if (partition.Name() != name) return std::nullopt;
  return partition;
}

PartitionPlan PlanPartitions(const std::vector<Partition>& existing, const PartitionRules& rules,
                             std::int64_t now_hour) {
  PartitionPlan plan;
  const std::int64_t this_period = Floor(now_hour, rules.hours);
  std::int64_t next = existing.empty() ? this_period : existing.back().until_hour();
  while (next < now_hour + rules.ahead_hours) {
    Partition partition;
    partition.from_hour = next;
    // To the end of a period, whatever the length was before.
    partition.hours = std::max(Floor(next, rules.hours), this_period) + rules.hours - next;
    next = partition.until_hour();
    plan.add.push_back(partition);
  }
  if (rules.keep_hours == 0) return plan;
  for (std::size_t i = 0; i + 1 < existing.size(); ++i) {
    if (existing[i].until_hour() + rules.keep_hours > now_hour) break;
    plan.drop.push_back(existing[i]);
  }
  return plan;
}

}  // namespace postern::messages
