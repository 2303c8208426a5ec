#include "services/messages/retention.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/messages/limits.h"
#include "services/messages/message_repository.h"

namespace postern::messages {
namespace {

constexpr char kPartitions[] =
    "SELECT partition_name, table_rows, data_length + index_length"
    " FROM information_schema.partitions"
    " WHERE table_schema = DATABASE() AND table_name = 'messages'"
    " ORDER BY partition_ordinal_position";
constexpr char kAdd[] = "CALL add_messages_partition(?, ?)";
constexpr char kDrop[] = "CALL drop_messages_partition(?, ?)";
// What was found damaged in what is gone.
constexpr char kForget[] = "DELETE FROM quarantine WHERE id < ?";
constexpr char kRest[] = "p_rest";

constexpr std::int64_t kMicrosPerHour = 3'600'000'000;
constexpr double kSecondsPerHour = 3600;

std::int64_t NowHour() { return NowMicros() / kMicrosPerHour; }

// The call of a procedure; with what to do when the account may not.
absl::Status Call(db::Connection& connection, const char* procedure, const Partition& partition) {
  const absl::Status status =
      connection.Execute(procedure, {partition.from_hour, partition.hours}).status();
  if (!absl::IsPermissionDenied(status)) return status;
  return absl::PermissionDeniedError(
      StrCat(ToStd(status.message()), ": this server's database account may not execute the ",
             "procedures of partitions; run deployment/config/mariadb_users.sql again"));
}

}  // namespace

Retention::Retention(Settings settings, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      lease_("retention", settings_.holder, kLeaseDuration),
      ahead_(metrics.Gauge("postern_partitions_ahead_seconds",
                           "How far ahead of the clock the table of messages is cut. Below 0, "
                           "messages pile up in the catch-all partition.")),
      lag_(metrics.Gauge("postern_retention_lag_seconds",
                         "How long the oldest messages have been past what is to be kept.")),
      dropped_(metrics.Counter("postern_retention_dropped_partitions_total",
                               "Partitions of delivered messages dropped for their age.")),
      failures_(
          metrics.Counter("postern_retention_failures_total",
                          "Runs of the retention that ended with an error or were held up.")) {}

Retention::~Retention() { Stop(); }

void Retention::Start() {
  const auto failed = [this](const absl::Status& status) {
    failures_.Increment();
    if (warn_limit_.Allow()) log::Warn("retention_failed", "error", status.ToString());
  };
  auto step = [this, failed](db::Connection& connection) {
    const absl::StatusOr<Report> report = RunOnce(connection, {});
    if (!report.ok()) {
      if (!absl::IsAborted(report.status())) failed(report.status());
      return settings_.interval;
    }
    if (!report->held_up.empty()) {
      failed(absl::FailedPreconditionError(report->held_up));
      return settings_.interval;
    }
    const std::size_t done = report->added.size() + report->dropped.size();
    const bool more = done > 0 && done < report->plan.add.size() + report->plan.drop.size();
    return more ? kPartitionPause : settings_.interval;
  };
  auto release = [this](db::Connection& connection) { lease_.Release(connection).IgnoreError(); };
  thread_ = std::make_unique<db::UpkeepThread>("retention", settings_.database, settings_.interval,
                                               db::UpkeepThread::Callbacks{step, failed, release});
}

void Retention::Stop() {
  if (thread_ != nullptr) thread_->Stop();
}

absl::StatusOr<Retention::Report> Retention::RunOnce(db::Connection& connection,
                                                     const Options& options) {
  const std::lock_guard lock(mutex_);
  if (!options.dry_run) {
    const absl::StatusOr<std::optional<std::int64_t>> token = lease_.Acquire(connection);
    if (!token.ok()) return token.status();
    if (!token->has_value()) return absl::AbortedError("another server is at it");
  }
  absl::StatusOr<Report> report = Look(connection);
  if (!report.ok()) return report;
  absl::Status status = options.dry_run ? absl::OkStatus() : Work(connection, options, *report);
  Measure(*report);
  if (!status.ok()) return status;
  return report;
}

absl::StatusOr<Retention::Report> Retention::RunNow(const Options& options, Deadline deadline) {
  db::Settings database = settings_.database;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(deadline.Remaining());
  database.io_timeout = std::max(left, std::chrono::seconds(1));
  auto connection = db::Connection::Open(database);
  if (!connection.ok()) return connection.status();
  if (absl::Status s = (*connection)->SetStatementTimeout(database.io_timeout); !s.ok()) return s;
  return RunOnce(**connection, options);
}

absl::StatusOr<Retention::Report> Retention::Look(db::Connection& connection) const {
  Report report;
  const absl::Status status = connection.Query(kPartitions, {}, [&report](const db::Row& row) {
    const std::string name = row.String(0);
    std::optional<Partition> partition = Partition::Parse(name);
    if (partition) {
      partition->rows = row.Int(1);
      partition->bytes = row.Int(2);
      report.partitions.push_back(*partition);
    } else if (name == kRest) {
      report.rest_rows = row.Int(1);
    } else {
      return absl::FailedPreconditionError(
          StrCat("the table messages has a partition ", name, " that Postern did not make"));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  report.plan = PlanPartitions(report.partitions, settings_.rules, NowHour());
  if (!report.plan.add.empty() && report.rest_rows > settings_.rest_rows_max) {
    report.held_up =
        StrCat("the catch-all partition of messages holds about ", report.rest_rows,
               " rows, and cutting it stops deliveries meanwhile; in a quiet hour run: posternctl "
               "retention run --split-large");
  }
  return report;
}

absl::Status Retention::Work(db::Connection& connection, const Options& options, Report& report) {
  std::size_t steps = 0;
  // What makes room comes first.
  for (const Partition& partition : report.plan.drop) {
    if (++steps > kPartitionStepsPerRun) return absl::OkStatus();
    if (absl::Status status = Drop(connection, partition, report); !status.ok()) return status;
  }
  if (options.split_large) report.held_up.clear();
  if (!report.held_up.empty()) return absl::OkStatus();
  for (const Partition& partition : report.plan.add) {
    if (++steps > kPartitionStepsPerRun) return absl::OkStatus();
    if (absl::Status status = Add(connection, partition, report); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Retention::Add(db::Connection& connection, const Partition& partition,
                            Report& report) {
  if (absl::Status s = Call(connection, kAdd, partition); !s.ok()) return s;
  log::Info("partition_added", "name", partition.Name());
  report.partitions.push_back(partition);
  report.added.push_back(partition);
  return absl::OkStatus();
}

absl::Status Retention::Drop(db::Connection& connection, const Partition& partition,
                             Report& report) {
  if (absl::Status s = Call(connection, kDrop, partition); !s.ok()) return s;
  log::Info("partition_dropped", "name", partition.Name(), "rows_about", partition.rows);
  dropped_.Increment();
  report.partitions.erase(report.partitions.begin());
  report.dropped.push_back(partition);
  const std::string first_kept = FirstIdAt(partition.until_hour() * kMicrosPerHour);
  return connection.Execute(kForget, {std::string_view(first_kept)}).status();
}

void Retention::Measure(const Report& report) {
  const std::int64_t now = NowHour();
  if (report.partitions.empty()) return;
  ahead_.Set(static_cast<double>(report.partitions.back().until_hour() - now) * kSecondsPerHour);
  const std::int64_t keep = settings_.rules.keep_hours;
  const std::int64_t late = now - keep - report.partitions.front().until_hour();
  lag_.Set(keep == 0 ? 0 : static_cast<double>(std::max<std::int64_t>(0, late)) * kSecondsPerHour);
}

}  // namespace postern::messages
