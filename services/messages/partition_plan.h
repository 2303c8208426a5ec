#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::messages {

// A partition of `messages`: what was accepted from hour to hour, in hours since the Unix epoch
// (the oldest one also holds what is older than its beginning). Named
// `p<year><month><day><hour>_<hours>`.
struct Partition {
  std::int64_t from_hour = 0;
  std::int64_t hours = 0;
  std::int64_t rows = 0;   // As the database estimates them.
  std::int64_t bytes = 0;  // Of data and indexes.

  std::int64_t until_hour() const { return from_hour + hours; }
  std::string Name() const;
  // Nothing for another name, such as that of the catch-all partition.
  static std::optional<Partition> Parse(std::string_view name);
};

// How the table is cut and how long it keeps messages.
struct PartitionRules {
  std::int64_t hours = 24;        // Of a partition; 1 or 24.
  std::int64_t ahead_hours = 72;  // How far ahead of the clock partitions are made.
  std::int64_t keep_hours = 0;    // Older messages go; 0: never.
};

// What is to be done, in order.
struct PartitionPlan {
  std::vector<Partition> add;
  std::vector<Partition> drop;
};

// `existing`: every bounded partition, by time. The first partition of a table that has none begins
// with the period of `now_hour`; a gap, left by a server that was away, becomes one long partition
// with the current period, so that the catch-all one is rewritten once. What is dropped ended at
// least `keep_hours` ago; the newest bounded partition always stays.
PartitionPlan PlanPartitions(const std::vector<Partition>& existing, const PartitionRules& rules,
                             std::int64_t now_hour);

}  // namespace postern::messages
