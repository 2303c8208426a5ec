#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/statistics_service.pb.h"
#include "services/common/db/connection.h"
#include "services/statistics/delta.h"

// Reads of the statistics. None of them looks at the table of messages; the counts of what waits
// come from `pending`, by index. Errors are the connection's.
namespace postern::statistics {

// Whose figures: of these clients together; nothing: of all.
using Scope = std::optional<std::vector<std::string>>;

// Buckets by their start in seconds since the Unix epoch; empty ones are left out.
absl::StatusOr<std::map<std::int64_t, BucketCounts>> SelectBuckets(db::Connection& connection,
                                                                   const Scope& scope,
                                                                   std::int64_t seconds,
                                                                   std::int64_t from_s,
                                                                   std::int64_t until_s);
// Histogram of all clients together, by start and step.
using Histogram = std::map<int, std::int64_t>;
absl::StatusOr<std::map<std::int64_t, Histogram>> SelectLatencies(db::Connection& connection,
                                                                  std::int64_t seconds,
                                                                  std::int64_t from_s,
                                                                  std::int64_t until_s);
// Sums by client over hours, most accepted first.
absl::StatusOr<std::vector<std::pair<std::string, BucketCounts>>> SelectTotals(
    db::Connection& connection, const Scope& scope, std::int64_t from_s, std::int64_t until_s,
    std::int64_t limit);

// The whole overview but for the queue.
absl::StatusOr<v1::GetOverviewResponse> ReadOverview(db::Connection& connection, const Scope& scope,
                                                     std::int64_t now_us);

v1::Counts ToProto(const BucketCounts& counts);
v1::Latency Percentiles(const Histogram& histogram);

}  // namespace postern::statistics
