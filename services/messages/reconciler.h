#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/messages/queue_client.h"
#include "services/messages/row_lease.h"

namespace postern::messages {

// Heals a queue that lost messages. Looks at the rows of `pending` that have waited longer than the
// grace, a page at a time by id: what is delivered already is removed; what has its entry in the
// queue is left alone; for the others a new entry is made from the row, and the row remembers its
// id. So an entry that was lost is put back once, however often the reconciler looks. One server at
// a time works (lease `reconciler`); should two ever, the comparison with the row's entry id and
// the lease's token lets only one write, and the other removes its entry.
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
  };
  // What one run came to.
  struct Result {
    std::int64_t looked_at = 0;
    std::int64_t requeued = 0;
    std::int64_t removed = 0;  // Rows whose message was delivered.
    bool leader = false;       // Whether this server holds the lease.
  };

  Reconciler(Settings settings, QueueClient& queue, metrics::Registry& metrics);
  ~Reconciler();
  void Start();
  // Waits for the running step, lets the lease go. Idempotent.
  void Stop();

  // One run on the calling thread: at most kReconcilePagesPerRun pages, more while something is
  // missing; the next run goes on where this one ended. Not together with Start.
  absl::StatusOr<Result> RunOnce(db::Connection& connection);

 private:
  struct PendingEntry {
    Uuid id;
    std::uint32_t shard = 0;
    std::string entry_id;
  };
  struct Requeued {
    const PendingEntry* pending = nullptr;
    std::string entry_id;
  };

  absl::StatusOr<std::vector<PendingEntry>> NextPage(db::Connection& connection) const;
  absl::Status RemoveDelivered(db::Connection& connection, std::vector<PendingEntry>& page,
                               Result& result) const;
  absl::StatusOr<std::vector<PendingEntry>> Missing(std::vector<PendingEntry> page);
  absl::Status Requeue(db::Connection& connection, const std::vector<PendingEntry>& missing,
                       std::int64_t token, Result& result);
  absl::StatusOr<std::vector<Requeued>> AddEntries(db::Connection& connection,
                                                   const std::vector<PendingEntry>& missing);
  absl::StatusOr<std::vector<const Requeued*>> RememberEntries(db::Connection& connection,
                                                               const std::vector<Requeued>& added,
                                                               std::int64_t token) const;
  absl::Status RemoveEntries(const std::vector<const Requeued*>& extra);

  const Settings settings_;
  QueueClient& queue_;
  const RowLease lease_;
  prometheus::Counter& requeued_;
  prometheus::Counter& removed_;
  prometheus::Counter& failures_;
  prometheus::Gauge& leader_;
  log::RateLimit warn_limit_{10'000};
  Uuid cursor_;  // The last id looked at.
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::messages
