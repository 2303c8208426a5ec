#include "tests/load/preload_statistics.h"

#include <string_view>

#include "services/common/base/latency_steps.h"
#include "services/common/base/strings.h"
#include "services/statistics/limits.h"

namespace postern::load {
namespace {

constexpr std::size_t kStatementBytes = 1 << 20;

// Collects `(…),(…)` and runs a statement whenever enough are there.
class Rows {
 public:
  Rows(db::Connection& connection, std::string_view head, std::string_view tail)
      : connection_(connection), head_(head), tail_(tail) {}

  absl::Status Add(const std::string& row) {
    StrAppend(&rows_, rows_.empty() ? "(" : ",(", row, ")");
    return rows_.size() < kStatementBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    if (rows_.empty()) return absl::OkStatus();
    const std::string sql = StrCat(head_, rows_, tail_);
    rows_.clear();
    return connection_.ExecuteScriptStatement(sql);
  }

 private:
  db::Connection& connection_;
  const std::string_view head_;
  const std::string_view tail_;
  std::string rows_;
};

}  // namespace

void PreloadStatistics::Count(const PreloadMessage& message) {
  Count(message, statistics::kDay);
  Count(message, statistics::kHour);
  if (message.accepted_at_us / 1'000'000 >= minutes_from_s_) Count(message, statistics::kMinute);
}

void PreloadStatistics::Count(const PreloadMessage& message, std::int64_t seconds) {
  const std::int64_t at_s = message.accepted_at_us / 1'000'000;
  Counted& bucket = buckets_[{seconds, at_s - at_s % seconds}];
  const bool delivered = message.delivered_at_us != 0;
  statistics::BucketCounts counts;
  counts.accepted = 1;
  counts.delivered = delivered ? 1 : 0;
  counts.dead = message.state == v1::MESSAGE_STATE_DEAD ? 1 : 0;
  counts.failed_attempts = message.attempts - counts.delivered;
  bucket.clients[message.client_id].Add(counts);
  bucket.clients[""].Add(counts);
  if (delivered) ++bucket.latencies[LatencyStep(message.delivered_at_us - message.accepted_at_us)];
}

absl::Status PreloadStatistics::Write(db::Connection& connection) {
  Rows counts(connection,
              "INSERT INTO statistics (seconds, start_s, client_id, accepted, delivered, dead,"
              " failed_attempts) VALUES ",
              " ON DUPLICATE KEY UPDATE accepted = accepted + VALUES(accepted),"
              " delivered = delivered + VALUES(delivered), dead = dead + VALUES(dead),"
              " failed_attempts = failed_attempts + VALUES(failed_attempts)");
  Rows latencies(connection,
                 "INSERT INTO statistics_latency (seconds, start_s, step, deliveries) VALUES ",
                 " ON DUPLICATE KEY UPDATE deliveries = deliveries + VALUES(deliveries)");
  absl::Status status;
  for (const auto& [bucket, counted] : buckets_) {
    const std::string place = StrCat(bucket.seconds, ",", bucket.start_s, ",");
    for (const auto& [client, sum] : counted.clients) {
      status.Update(counts.Add(StrCat(place, "'", client, "',", sum.accepted, ",", sum.delivered,
                                      ",", sum.dead, ",", sum.failed_attempts)));
    }
    for (const auto& [step, deliveries] : counted.latencies) {
      status.Update(latencies.Add(StrCat(place, step, ",", deliveries)));
    }
  }
  status.Update(counts.Flush());
  status.Update(latencies.Flush());
  buckets_.clear();
  return status;
}

}  // namespace postern::load
