#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/ledger_pace.h"
#include "services/messages/limits.h"
#include "services/messages/queue_client.h"
#include "services/messages/queue_counts.h"
#include "services/messages/row_lease.h"

namespace postern::messages {

// What was accepted, and where it is.
struct LedgerFigures {
  std::int64_t accepted = 0;   // Counted by the queue, over all lives of its data.
  std::int64_t delivered = 0;  // Counted in the transactions that delivered.
  std::int64_t pending = 0;
  std::int64_t dead = 0;
  std::int64_t queued_entries = 0;
  std::int64_t gap = 0;  // accepted - delivered - pending - dead
  std::int64_t measured_at_us = 0;
  bool closed = false;
};

// Closes the books once a second. The queue is read before and after the database, so that what
// moves meanwhile explains itself:
//   accepted before - entries before <= delivered + pending + dead <= accepted after
// holds whenever nothing is lost and nothing is counted twice: what had left the queue before is
// known to the register, and what the register knows was accepted. `closed` says whether it held.
// With an empty queue at rest both sides are equal, and so the gap is 0.
//
// The queue's counts begin anew when its data are lost (FLUSHALL), and go back when an older
// append-only file is restored. A key beside each stream marks a life of the data: when it is gone,
// is an older one, or its count fell, what was counted last becomes part of the base in the table
// `ledger_accepted`, less what restored data count again, and a new life begins. What the queue
// took between the last sample and its death is made good when all is at rest: a message in the
// register was accepted.
//
// Construct after the queue client, Start after the database is known to be migrated, Stop before
// the queue client. latest() is thread-safe.
class Ledger {
 public:
  struct Settings {
    db::Settings database;
    std::string holder;  // Unique among processes, at most 128 characters.
    std::chrono::milliseconds interval = kLedgerInterval;
    std::chrono::milliseconds settle = kLedgerSettle;
  };

  Ledger(Settings settings, QueueClient& queue, metrics::Registry& metrics);
  ~Ledger();
  void Start();
  // Idempotent.
  void Stop();

  // The last sample. Unavailable when there is none yet.
  absl::StatusOr<LedgerFigures> latest() const;

  // One sample on the calling thread. Not together with Start.
  absl::StatusOr<LedgerFigures> SampleOnce(db::Connection& connection);

 private:
  struct Totals {
    std::int64_t counted = 0;
    std::int64_t entries = 0;
  };
  struct Base {
    std::int64_t base = 0;
    std::int64_t last_seen = 0;
    std::int64_t life = 0;  // That last_seen belongs to; 0: not known.

    // Whether the data that were counted are those that last_seen was counted of, or grew from
    // them.
    bool Continues(const ShardCount& count) const {
      return count.life != 0 && (life == 0 || count.life == life) && count.counted >= last_seen;
    }
  };
  using Bases = std::array<Base, redis::kShards>;

  static bool AllContinue(const QueueCounts& counts, const Bases& bases);
  static Totals Total(const QueueCounts& counts);
  bool Persists(std::int64_t missing);
  absl::StatusOr<Bases> ReadBases(db::Connection& connection) const;
  absl::Status BeginLives(db::Connection& connection, const QueueCounts& counts, Bases& bases);
  static absl::Status Write(db::Connection& connection, std::size_t shard, const Base& base);
  absl::Status RememberCounts(db::Connection& connection, const QueueCounts& counts,
                              Bases& bases) const;
  absl::Status ReadRegister(db::Connection& connection, LedgerFigures& figures) const;
  absl::Status MakeGood(db::Connection& connection, Bases& bases, std::int64_t missing);
  void Publish(const LedgerFigures& figures);

  const Settings settings_;
  LedgerPace pace_{settings_.interval};  // Of the thread.
  QueueClient& queue_;
  const RowLease lease_;
  prometheus::Gauge& accepted_;
  prometheus::Gauge& delivered_;
  prometheus::Gauge& pending_;
  prometheus::Gauge& dead_;
  prometheus::Gauge& queued_entries_;
  prometheus::Gauge& gap_;
  prometheus::Gauge& closed_;
  prometheus::Gauge& measured_at_;
  prometheus::Counter& failures_;
  prometheus::Counter& made_good_;
  log::RateLimit warn_limit_{10'000};
  std::int64_t missing_ = 0;
  std::chrono::steady_clock::time_point missing_since_;

  mutable std::mutex mutex_;
  LedgerFigures latest_;
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::messages
