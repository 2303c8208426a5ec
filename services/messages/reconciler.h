#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/messages/queue_client.h"
#include "services/messages/queue_repair.h"
#include "services/messages/row_lease.h"
#include "services/messages/tally.h"
#include "services/messages/unheld_sweep.h"

namespace postern::messages {

// Heals a queue that lost messages, without end, in bounded steps: QueueRepair for what the
// register knows, UnheldSweep for what lies in the queue and would never be read. One server at a
// time works (lease `reconciler`); a second one that believes the same does no harm, since each
// write to a row compares the lease's token and the row's entry id.
//
// Construct after the queue client. Start after the database is known to be migrated. Stop before
// the queue client.
class Reconciler {
 public:
  struct Settings {
    db::Settings database;
    std::string holder;  // Unique among processes, at most 128 characters.
    std::chrono::milliseconds interval{5000};
    std::chrono::milliseconds grace{10'000};
    TallySink tally_sink;  // Keeps how many messages a run made dead; may be null.
  };
  // What one run came to.
  struct Result : RepairResult {
    std::int64_t unheld = 0;  // Entries that nobody held.
    bool leader = false;      // Whether this server holds the lease.
  };
  // A part of a round that somebody asked for.
  struct Part {
    Result result;
    Uuid last;  // Where the next part begins.
    bool end = false;
  };
  enum class Mode { kLook, kHeal };

  Reconciler(Settings settings, QueueClient& queue, metrics::Registry& metrics);
  ~Reconciler();
  void Start();
  // Waits for the running step, lets the lease go. Idempotent.
  void Stop();

  // One run on the calling thread: at most kReconcilePagesPerRun pages, more while something is
  // missing; the next run goes on where this one ended. Not together with Start.
  absl::StatusOr<Result> RunOnce(db::Connection& connection);

  // A bounded part of a round through everything, from behind the id `after`; the first (the nil
  // id) sweeps the queue, too. kHeal takes the lease from whoever holds it. Thread-safe.
  absl::StatusOr<Part> RunPart(db::Connection& connection, Mode mode, const Uuid& after);
  // The holder of the lease, of whichever server; empty when there is none.
  absl::StatusOr<std::string> Leader(db::Connection& connection) const {
    return lease_.Holder(connection);
  }

 private:
  void Count(const Result& result);

  const Settings settings_;
  QueueClient& queue_;
  const QueueRepair repair_;
  const RowLease lease_;
  prometheus::Counter& requeued_;
  prometheus::Counter& removed_;
  prometheus::Counter& quarantined_;
  prometheus::Counter& unheld_;
  prometheus::Counter& failures_;
  prometheus::Gauge& leader_;
  log::RateLimit warn_limit_{10'000};
  // Of the runs.
  UnheldSweep sweep_;
  Uuid cursor_;  // The last id looked at.
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::messages
