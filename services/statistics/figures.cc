#include "services/statistics/figures.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "services/common/base/latency_steps.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/statistics/limits.h"

namespace postern::statistics {
namespace {

constexpr char kSelectBuckets[] =
    "SELECT start_s, SUM(accepted), SUM(delivered), SUM(dead), SUM(failed_attempts) FROM statistics"
    " FORCE INDEX (by_client) WHERE seconds = ? AND start_s >= ? AND start_s < ? AND client_id IN ";
constexpr char kByStart[] = " GROUP BY start_s";
constexpr char kSelectLatencies[] =
    "SELECT start_s, step, deliveries FROM statistics_latency WHERE seconds = ? AND start_s >= ?"
    " AND start_s < ?";
// Hours before the first whole day, whole days, and hours behind the last one.
constexpr char kInRange[] =
    " WHERE ((seconds = 3600 AND start_s >= ? AND start_s < ?)"
    " OR (seconds = 86400 AND start_s >= ? AND start_s < ?)"
    " OR (seconds = 3600 AND start_s >= ? AND start_s < ?))";
// Sums take most of the time: over all clients there is one, the others are of those that are
// shown. In two statements: joined, all rows of those would be looked at.
constexpr char kSelectMost[] = "SELECT client_id FROM statistics FORCE INDEX (PRIMARY)";
constexpr char kOfAnyClient[] = " AND client_id <> ''";
constexpr char kOfClients[] = " AND client_id IN ";
constexpr char kMostFirst[] = " GROUP BY client_id ORDER BY SUM(accepted) DESC, client_id LIMIT ?";
constexpr char kSelectTotals[] =
    "SELECT client_id, SUM(accepted), SUM(delivered), SUM(dead), SUM(failed_attempts)"
    " FROM statistics FORCE INDEX (by_client)";
constexpr char kByClient[] = " GROUP BY client_id ORDER BY SUM(accepted) DESC, client_id";
constexpr char kCountStates[] = "SELECT state, COUNT(*), MIN(id) FROM pending";
constexpr char kWhereClients[] = " FORCE INDEX (client_state) WHERE client_id IN ";
constexpr char kByState[] = " GROUP BY state";

// States of `pending`, as stored.
constexpr std::int64_t kQueued = 1;
constexpr std::int64_t kRetrying = 2;
constexpr std::int64_t kDead = 4;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kLatencySeconds = 5 * kMinute;

// Fills up to a power of two, so that there are few different statements. No client has the name
// that fills; with the empty name the rows of all clients together would be found.
std::string AddClients(const std::vector<std::string>& clients, std::vector<db::Value>& values) {
  constexpr std::string_view kNobody = "*";
  const std::size_t places = std::bit_ceil(std::max<std::size_t>(clients.size(), 1));
  for (std::size_t i = 0; i < places; ++i) {
    values.push_back(i < clients.size() ? std::string_view(clients[i]) : kNobody);
  }
  return db::Placeholders(1, places);
}

std::int64_t RoundUp(std::int64_t at_s, std::int64_t to) { return (at_s + to - 1) / to * to; }

BucketCounts ReadCounts(const db::Row& row) {
  BucketCounts counts;
  counts.accepted = row.Int(1);
  counts.delivered = row.Int(2);
  counts.dead = row.Int(3);
  counts.failed_attempts = row.Int(4);
  return counts;
}

BucketCounts Sum(const std::map<std::int64_t, BucketCounts>& buckets) {
  BucketCounts sum;
  for (const auto& [start, counts] : buckets) sum.Add(counts);
  return sum;
}

absl::Status ReadWaiting(db::Connection& connection, const Scope& scope,
                         v1::GetOverviewResponse& overview) {
  std::vector<db::Value> values;
  const std::string sql =
      scope ? StrCat(kCountStates, kWhereClients, AddClients(*scope, values), kByState)
            : StrCat(kCountStates, kByState);
  std::int64_t oldest_ms = 0;
  const absl::Status status = connection.Query(sql, values, [&](const db::Row& row) {
    const std::int64_t state = row.Int(0);
    if (state == kQueued) overview.set_queued(row.Int(1));
    if (state == kRetrying) overview.set_retrying(row.Int(1));
    if (state == kDead) overview.set_dead(row.Int(1));
    const absl::StatusOr<Uuid> first = Uuid::FromBytes(row.String(2));
    if (state == kDead || !first.ok()) return absl::OkStatus();
    const std::int64_t at_ms = first->TimestampMillis();
    oldest_ms = oldest_ms == 0 ? at_ms : std::min(oldest_ms, at_ms);
    return absl::OkStatus();
  });
  overview.set_oldest_waiting_at_us(oldest_ms * 1000);
  return status;
}

}  // namespace

absl::StatusOr<std::map<std::int64_t, BucketCounts>> SelectBuckets(db::Connection& connection,
                                                                   const Scope& scope,
                                                                   std::int64_t seconds,
                                                                   std::int64_t from_s,
                                                                   std::int64_t until_s) {
  std::vector<db::Value> values = {seconds, from_s, until_s};
  // The empty name: all clients together.
  static const std::vector<std::string> kAll = {""};
  const std::string sql =
      StrCat(kSelectBuckets, AddClients(scope ? *scope : kAll, values), kByStart);
  std::map<std::int64_t, BucketCounts> buckets;
  const absl::Status status = connection.Query(sql, values, [&buckets](const db::Row& row) {
    buckets[row.Int(0)] = ReadCounts(row);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return buckets;
}

absl::StatusOr<std::map<std::int64_t, Histogram>> SelectLatencies(db::Connection& connection,
                                                                  std::int64_t seconds,
                                                                  std::int64_t from_s,
                                                                  std::int64_t until_s) {
  std::map<std::int64_t, Histogram> latencies;
  const absl::Status status = connection.Query(
      kSelectLatencies, {seconds, from_s, until_s}, [&latencies](const db::Row& row) {
        latencies[row.Int(0)][static_cast<int>(row.Int(1))] += row.Int(2);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return latencies;
}

absl::StatusOr<std::vector<std::pair<std::string, BucketCounts>>> SelectTotals(
    db::Connection& connection, const Scope& scope, std::int64_t from_s, std::int64_t until_s,
    std::int64_t limit) {
  // The day that runs is whole as well where nothing after it is left out.
  const bool to_the_end = until_s > NowMicros() / kMicrosPerSecond;
  const std::int64_t first_day = RoundUp(from_s, kDay);
  const std::int64_t last_day = to_the_end ? RoundUp(until_s, kDay) : until_s - until_s % kDay;
  const bool any_day = first_day < last_day;
  const std::int64_t days_from = any_day ? first_day : until_s;
  const std::int64_t days_until = any_day ? last_day : until_s;
  const std::vector<db::Value> range = {from_s,     days_from,  days_from,
                                        days_until, days_until, std::max(days_until, until_s)};
  std::vector<db::Value> values = range;
  std::string clients = scope ? StrCat(kOfClients, AddClients(*scope, values)) : "";
  values.emplace_back(limit);
  const std::string most_sql = StrCat(kSelectMost, kInRange, kOfAnyClient, clients, kMostFirst);
  std::vector<std::string> most;
  absl::Status status = connection.Query(most_sql, values, [&most](const db::Row& row) {
    most.push_back(row.String(0));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  values = range;
  clients = AddClients(most, values);
  const std::string sql = StrCat(kSelectTotals, kInRange, kOfClients, clients, kByClient);
  std::vector<std::pair<std::string, BucketCounts>> totals;
  status = connection.Query(sql, values, [&totals](const db::Row& row) {
    totals.emplace_back(row.String(0), ReadCounts(row));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return totals;
}

absl::StatusOr<v1::GetOverviewResponse> ReadOverview(db::Connection& connection, const Scope& scope,
                                                     std::int64_t now_us) {
  v1::GetOverviewResponse overview;
  overview.set_measured_at_us(now_us);
  if (absl::Status s = ReadWaiting(connection, scope, overview); !s.ok()) return s;
  const std::int64_t now_s = now_us / kMicrosPerSecond;
  const auto minutes = SelectBuckets(connection, scope, kMinute, now_s - kHour, now_s + kMinute);
  if (!minutes.ok()) return minutes.status();
  *overview.mutable_last_hour() = ToProto(Sum(*minutes));
  const auto hours = SelectBuckets(connection, scope, kHour, now_s - kDay, now_s + kHour);
  if (!hours.ok()) return hours.status();
  *overview.mutable_last_day() = ToProto(Sum(*hours));
  // The minute that runs, and of the one before it the part that is younger than a minute.
  const std::int64_t this_minute = now_s - now_s % kMinute;
  const double share_of_last =
      1.0 - static_cast<double>(now_s - this_minute) / static_cast<double>(kMinute);
  const auto at = [&minutes](std::int64_t start) {
    const auto found = minutes->find(start);
    return found == minutes->end() ? BucketCounts() : found->second;
  };
  const BucketCounts now = at(this_minute);
  const BucketCounts last = at(this_minute - kMinute);
  const auto rate = [&](std::int64_t current, std::int64_t before) {
    return (static_cast<double>(current) + static_cast<double>(before) * share_of_last) /
           static_cast<double>(kMinute);
  };
  overview.set_accepted_per_second(rate(now.accepted, last.accepted));
  overview.set_delivered_per_second(rate(now.delivered, last.delivered));
  if (scope) return overview;
  const auto latencies =
      SelectLatencies(connection, kMinute, now_s - kLatencySeconds, now_s + kMinute);
  if (!latencies.ok()) return latencies.status();
  Histogram all;
  for (const auto& [start, histogram] : *latencies) {
    for (const auto& [step, count] : histogram) all[step] += count;
  }
  *overview.mutable_latency() = Percentiles(all);
  return overview;
}

v1::Counts ToProto(const BucketCounts& counts) {
  v1::Counts proto;
  proto.set_accepted(counts.accepted);
  proto.set_delivered(counts.delivered);
  proto.set_dead(counts.dead);
  proto.set_failed_attempts(counts.failed_attempts);
  return proto;
}

v1::Latency Percentiles(const Histogram& histogram) {
  std::int64_t count = 0;
  for (const auto& [step, deliveries] : histogram) count += deliveries;
  v1::Latency latency;
  latency.set_count(count);
  const auto at_percent = [&](std::int64_t percent) -> std::int64_t {
    std::int64_t seen = 0;
    for (const auto& [step, deliveries] : histogram) {
      seen += deliveries;
      if (seen * 100 >= count * percent) return LatencyOfStep(step);
    }
    return 0;
  };
  latency.set_p50_us(at_percent(50));
  latency.set_p90_us(at_percent(90));
  latency.set_p99_us(at_percent(99));
  return latency;
}

}  // namespace postern::statistics
