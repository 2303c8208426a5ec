#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/time.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/messages/limits.h"
#include "services/messages/partition_plan.h"
#include "services/messages/row_lease.h"

namespace postern::messages {

// Cuts the table `messages` into partitions ahead of time and drops those whose messages are older
// than what is to be kept. Only delivered messages are in that table: nothing undelivered is ever
// touched. One server at a time works (lease `retention`), in steps of a few partitions with pauses
// between them. A catch-all partition with many rows is not split by itself, since the database
// copies them and lets nobody write meanwhile: RunOnce with `split_large` does.
//
// Start after the database is known to be migrated; Stop from any thread. The others from any
// thread, each on a connection of the caller.
class Retention {
 public:
  struct Settings {
    db::Settings database;
    std::string holder;  // Unique among processes, at most 128 characters.
    PartitionRules rules;
    std::int64_t rest_rows_max = kRestRowsMax;  // More are not copied without being told to.
    std::chrono::milliseconds interval{60'000};
  };
  // How a run is made.
  struct Options {
    bool dry_run = false;
    bool split_large = false;
  };
  // How the table is cut now, and what was done (or would be, in a dry run).
  struct Report {
    std::vector<Partition> partitions;
    std::int64_t rest_rows = 0;  // In the catch-all partition, as the database estimates them.
    PartitionPlan plan;
    std::vector<Partition> added;
    std::vector<Partition> dropped;
    std::string held_up;  // Why a partition was not added; empty: nothing was in the way.
  };

  Retention(Settings settings, metrics::Registry& metrics);
  ~Retention();
  void Start();
  // Waits for the running step, lets the lease go. Idempotent.
  void Stop();

  const PartitionRules& rules() const { return settings_.rules; }
  // At most kPartitionStepsPerRun partitions; those left come with the next run. Aborted while
  // another server holds the lease (a dry run needs none).
  absl::StatusOr<Report> RunOnce(db::Connection& connection, const Options& options);
  // The same on a connection of its own, whose statements may take as long as the deadline allows.
  absl::StatusOr<Report> RunNow(const Options& options, Deadline deadline);

 private:
  absl::StatusOr<Report> Look(db::Connection& connection) const;
  absl::Status Work(db::Connection& connection, const Options& options, Report& report);
  absl::Status Add(db::Connection& connection, const Partition& partition, Report& report);
  absl::Status Drop(db::Connection& connection, const Partition& partition, Report& report);
  void Measure(const Report& report);

  const Settings settings_;
  const RowLease lease_;
  prometheus::Gauge& ahead_;
  prometheus::Gauge& lag_;
  prometheus::Counter& dropped_;
  prometheus::Counter& failures_;
  log::RateLimit warn_limit_{60'000};
  std::mutex mutex_;  // One run at a time.
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::messages
