#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/common/db/connection.h"
#include "services/statistics/delta.h"
#include "tests/load/preload_message.h"

namespace postern::load {

// What the main server's statistics would have counted of preloaded messages: days and hours of
// all of them, minutes of the last two days. A message counts as a whole in the bucket of its
// acceptance.
class PreloadStatistics {
 public:
  // Minutes are kept from `minutes_from_s` on, seconds since the Unix epoch.
  explicit PreloadStatistics(std::int64_t minutes_from_s) : minutes_from_s_(minutes_from_s) {}

  void Count(const PreloadMessage& message);
  // Adds the counts to the tables. Call it now and then: they are kept in memory until then.
  absl::Status Write(db::Connection& connection);

 private:
  struct Bucket {
    std::int64_t seconds = 0;
    std::int64_t start_s = 0;
    auto operator<=>(const Bucket&) const = default;
  };
  struct Counted {
    std::map<std::string, statistics::BucketCounts> clients;  // The empty name: all together.
    std::map<int, std::int64_t> latencies;                    // LatencyStep to deliveries.
  };
  void Count(const PreloadMessage& message, std::int64_t seconds);

  const std::int64_t minutes_from_s_;
  std::map<Bucket, Counted> buckets_;
};

}  // namespace postern::load
