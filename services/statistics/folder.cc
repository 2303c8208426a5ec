#include "services/statistics/folder.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/db/transaction.h"
#include "services/statistics/delta.h"
#include "services/statistics/limits.h"

namespace postern::statistics {
namespace {

// What another server folds, or a transaction has not committed yet, is left out.
constexpr char kSelectJournal[] =
    "SELECT id, delta FROM statistics_journal ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED";
constexpr char kDeleteJournal[] = "DELETE FROM statistics_journal WHERE id IN ";
constexpr char kAddCounts[] =
    "INSERT INTO statistics (client_id, seconds, start_s, accepted, delivered, dead,"
    " failed_attempts) VALUES ";
constexpr std::size_t kCountColumns = 7;
constexpr char kOnCounts[] =
    " ON DUPLICATE KEY UPDATE accepted = accepted + VALUES(accepted),"
    " delivered = delivered + VALUES(delivered), dead = dead + VALUES(dead),"
    " failed_attempts = failed_attempts + VALUES(failed_attempts)";
constexpr char kAddLatency[] =
    "INSERT INTO statistics_latency (seconds, start_s, step, deliveries) VALUES ";
constexpr std::size_t kLatencyColumns = 4;
constexpr char kOnLatency[] =
    " ON DUPLICATE KEY UPDATE deliveries = deliveries + VALUES(deliveries)";
constexpr char kPurgeCounts[] = "DELETE FROM statistics WHERE seconds = ? AND start_s < ? LIMIT ?";
constexpr char kPurgeLatency[] =
    "DELETE FROM statistics_latency WHERE seconds = ? AND start_s < ? LIMIT ?";

constexpr std::size_t kRowsPerStatement = 128;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// Rows in the order of the keys, so that servers that fold at the same time do not cross.
using CountKey = std::tuple<std::int64_t, std::int64_t, std::string>;     // Seconds, start, client.
using LatencyKey = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // Seconds, start, step.

std::int64_t StartOf(std::int64_t minute, std::int64_t seconds) {
  const std::int64_t at_s = minute * kMinute;
  return at_s - at_s % seconds;
}

// Runs `head (?,…),… tail` over all rows, in pieces of few different lengths.
template <typename Rows, typename Bind>
absl::Status RunRows(db::Connection& connection, const char* head, std::size_t columns,
                     const char* tail, const Rows& rows, const Bind& bind) {
  auto row = rows.begin();
  for (std::size_t left = rows.size(); left > 0;) {
    const std::size_t count = std::bit_floor(std::min(left, kRowsPerStatement));
    std::vector<db::Value> values;
    for (std::size_t i = 0; i < count; ++i, ++row) bind(*row, values);
    const std::string sql = StrCat(head, db::Placeholders(count, columns), tail);
    const auto done = connection.Execute(sql, values);
    if (!done.ok()) return done.status();
    left -= count;
  }
  return absl::OkStatus();
}

absl::Status AddCounts(db::Connection& connection, const Delta& delta) {
  std::map<CountKey, BucketCounts> rows;
  for (const auto& [key, counts] : delta.counts) {
    for (const std::int64_t seconds : {kMinute, kHour, kDay}) {
      const std::int64_t start = StartOf(key.first, seconds);
      rows[{seconds, start, key.second}].Add(counts);
      rows[{seconds, start, std::string()}].Add(counts);
    }
  }
  return RunRows(connection, kAddCounts, kCountColumns, kOnCounts, rows,
                 [](const auto& row, std::vector<db::Value>& values) {
                   const auto& [seconds, start, client_id] = row.first;
                   const BucketCounts& counts = row.second;
                   values.insert(values.end(),
                                 {std::string_view(client_id), seconds, start, counts.accepted,
                                  counts.delivered, counts.dead, counts.failed_attempts});
                 });
}

absl::Status AddLatencies(db::Connection& connection, const Delta& delta) {
  std::map<LatencyKey, std::int64_t> rows;
  for (const auto& [key, deliveries] : delta.latencies) {
    for (const std::int64_t seconds : {kMinute, kHour, kDay}) {
      rows[{seconds, StartOf(key.first, seconds), key.second}] += deliveries;
    }
  }
  return RunRows(connection, kAddLatency, kLatencyColumns, kOnLatency, rows,
                 [](const auto& row, std::vector<db::Value>& values) {
                   const auto& [seconds, start, step] = row.first;
                   values.insert(values.end(), {seconds, start, step, row.second});
                 });
}

absl::Status DeleteJournal(db::Connection& connection, const std::vector<std::int64_t>& ids) {
  for (std::size_t first = 0; first < ids.size();) {
    const std::size_t count = std::bit_floor(std::min(ids.size() - first, kRowsPerStatement));
    const std::vector<db::Value> values(ids.begin() + static_cast<std::ptrdiff_t>(first),
                                        ids.begin() + static_cast<std::ptrdiff_t>(first + count));
    const std::string sql = StrCat(kDeleteJournal, db::Placeholders(1, count));
    if (auto done = connection.Execute(sql, values); !done.ok()) return done.status();
    first += count;
  }
  return absl::OkStatus();
}

}  // namespace

Folder::Folder(db::Settings database, metrics::Registry& metrics)
    : database_(std::move(database)),
      folded_(metrics.Counter("postern_statistics_folded_total",
                              "Transactions whose counts are in the statistics.")),
      failures_(metrics.Counter("postern_statistics_failures_total",
                                "Attempts to fold statistics that failed.")) {}

Folder::~Folder() { Stop(); }

void Folder::Start() {
  db::UpkeepThread::Callbacks callbacks;
  callbacks.step = [this](db::Connection& connection) { return Step(connection); };
  callbacks.on_unavailable = [this](const absl::Status&) { failures_.Increment(); };
  callbacks.at_end = [this](db::Connection& connection) { Step(connection); };
  thread_ = std::make_unique<db::UpkeepThread>("statistics", database_, kFoldInterval,
                                               std::move(callbacks));
}

void Folder::Stop() {
  if (thread_) thread_->Stop();
}

std::chrono::milliseconds Folder::Step(db::Connection& connection) {
  const absl::StatusOr<std::int64_t> folded = FoldOnce(connection);
  absl::Status status = folded.status();
  if (status.ok() && *folded == kFoldRows) return std::chrono::milliseconds(0);
  if (status.ok() && std::chrono::steady_clock::now() >= next_purge_) {
    next_purge_ = std::chrono::steady_clock::now() + kPurgeInterval;
    status = Purge(connection);
  }
  if (!status.ok()) {
    failures_.Increment();
    if (warn_limit_.Allow()) log::Warn("statistics_not_folded", "error", status.ToString());
  }
  return kFoldInterval;
}

absl::StatusOr<std::int64_t> Folder::FoldOnce(db::Connection& connection) {
  const auto folded = db::InTransaction(connection, [&]() -> absl::StatusOr<std::int64_t> {
    Delta delta;
    std::vector<std::int64_t> ids;
    absl::Status status = connection.Query(kSelectJournal, {kFoldRows}, [&](const db::Row& row) {
      ids.push_back(row.Int(0));
      const absl::Status added = delta.AddText(row.String(1));
      // A damaged row costs its own counts, not all that come after it.
      if (!added.ok()) log::Error("statistics_row_damaged", "id", row.Int(0));
      return absl::OkStatus();
    });
    if (!status.ok() || ids.empty()) return status.ok() ? absl::StatusOr<std::int64_t>(0) : status;
    status = AddCounts(connection, delta);
    if (status.ok()) status = AddLatencies(connection, delta);
    if (status.ok()) status = DeleteJournal(connection, ids);
    if (!status.ok()) return status;
    return static_cast<std::int64_t>(ids.size());
  });
  if (folded.ok()) folded_.Increment(static_cast<double>(*folded));
  return folded;
}

absl::Status Folder::Purge(db::Connection& connection) {
  const std::int64_t now_s = NowMicros() / kMicrosPerSecond;
  const auto purge = [&](std::int64_t seconds, std::int64_t kept) {
    for (const char* sql : {kPurgeCounts, kPurgeLatency}) {
      const auto done = connection.Execute(sql, {seconds, now_s - kept, kPurgeRows});
      if (!done.ok()) return done.status();
    }
    return absl::OkStatus();
  };
  absl::Status status = purge(kMinute, kMinutesKeptSeconds);
  if (status.ok()) status = purge(kHour, kHoursKeptSeconds);
  if (status.ok()) status = purge(kDay, kHoursKeptSeconds);
  return status;
}

}  // namespace postern::statistics
