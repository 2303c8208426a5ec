#include "services/messages/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/common/base/time.h"

namespace postern::messages {
namespace {

// One statement is one snapshot: a message that moves meanwhile is counted once.
constexpr char kReadRegister[] =
    "SELECT (SELECT CAST(COALESCE(SUM(delivered), 0) AS SIGNED) FROM ledger_delivered),"
    " (SELECT COUNT(*) FROM pending FORCE INDEX (newest) WHERE state IN (1, 2)),"
    " (SELECT COUNT(*) FROM pending FORCE INDEX (newest) WHERE state = 4)";
constexpr char kReadBases[] = "SELECT shard, base, last_seen, life FROM ledger_accepted";
constexpr char kWriteBase[] =
    "INSERT INTO ledger_accepted (shard, base, last_seen, life, sampled_at_us)"
    " VALUES (?, ?, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE base = VALUES(base), last_seen = VALUES(last_seen),"
    " life = VALUES(life), sampled_at_us = VALUES(sampled_at_us)";

}  // namespace

Ledger::Ledger(Settings settings, QueueClient& queue, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      queue_(queue),
      lease_("ledger", settings_.holder, kLeaseDuration),
      accepted_(metrics.Gauge("postern_ledger_accepted", "Messages that the queue ever took.")),
      delivered_(metrics.Gauge("postern_ledger_delivered", "Messages delivered.")),
      pending_(metrics.Gauge("postern_ledger_pending",
                             "Messages registered and neither delivered nor dead.")),
      dead_(metrics.Gauge("postern_ledger_dead", "Dead letters.")),
      queued_entries_(metrics.Gauge("postern_ledger_queued_entries",
                                    "Entries in the queue, delivered ones not yet removed "
                                    "included.")),
      gap_(metrics.Gauge("postern_ledger_gap", "Accepted less delivered, pending and dead.")),
      closed_(metrics.Gauge("postern_ledger_closed",
                            "1 when every accepted message was accounted for at the last sample.")),
      measured_at_(metrics.Gauge("postern_ledger_measured_timestamp_seconds",
                                 "When the ledger was last sampled.")),
      failures_(metrics.Counter("postern_ledger_failures_total",
                                "Samples of the ledger that could not be taken.")),
      made_good_(metrics.Counter("postern_ledger_made_good_total",
                                 "Messages that a lost queue had accepted since its last sample, "
                                 "counted from the register.")) {}

Ledger::~Ledger() { Stop(); }

void Ledger::Start() {
  const auto failed = [this](const absl::Status& status) {
    failures_.Increment();
    if (warn_limit_.Allow()) log::Warn("ledger_not_sampled", "error", status.ToString());
  };
  auto step = [this, failed](db::Connection& connection) {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<LedgerFigures> figures = SampleOnce(connection);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    if (figures.ok()) return pace_.AfterSample(took);
    failed(figures.status());
    return pace_.AfterFailure(took);
  };
  auto release = [this](db::Connection& connection) { lease_.Release(connection).IgnoreError(); };
  thread_ = std::make_unique<db::UpkeepThread>("ledger", settings_.database, settings_.interval,
                                               db::UpkeepThread::Callbacks{step, failed, release});
}

void Ledger::Stop() {
  if (thread_ == nullptr) return;
  thread_->Stop();
  thread_.reset();
}

absl::StatusOr<LedgerFigures> Ledger::latest() const {
  const std::lock_guard lock(mutex_);
  if (latest_.measured_at_us == 0) return absl::UnavailableError("the ledger has no sample yet");
  return latest_;
}

absl::StatusOr<LedgerFigures> Ledger::SampleOnce(db::Connection& connection) {
  const absl::StatusOr<std::optional<std::int64_t>> token = lease_.Acquire(connection);
  if (!token.ok()) return token.status();
  const bool keeps_books = token->has_value();

  // The bases first: what another server remembers after that would look like a count that fell.
  absl::StatusOr<Bases> bases = ReadBases(connection);
  if (!bases.ok()) return bases.status();
  const absl::StatusOr<QueueCounts> before = ReadQueueCounts(queue_);
  if (!before.ok()) return before.status();
  if (!AllContinue(*before, *bases)) {
    if (!keeps_books) return absl::UnavailableError("the queue's data are new and not booked yet");
    absl::Status status = BeginLives(connection, *before, *bases);
    if (!status.ok()) return status;
  }

  LedgerFigures figures;
  absl::Status status = ReadRegister(connection, figures);
  if (!status.ok()) return status;
  const absl::StatusOr<QueueCounts> after = ReadQueueCounts(queue_);
  if (!after.ok()) return after.status();
  if (!AllContinue(*after, *bases))
    return absl::UnavailableError("the queue lost its data meanwhile");
  if (keeps_books) {
    status = RememberCounts(connection, *after, *bases);
    if (!status.ok()) return status;
  }

  const std::int64_t known = figures.delivered + figures.pending + figures.dead;
  const Totals first = Total(*before);
  const Totals last = Total(*after);
  std::int64_t base = 0;
  for (const Base& one : *bases) base += one.base;
  const bool at_rest = first.counted == last.counted && first.entries == 0 && last.entries == 0;
  const std::int64_t missing = at_rest ? known - base - last.counted : 0;
  // Only after a life ended: in a first life nothing can have been missed.
  if (keeps_books && base != 0 && Persists(missing)) {
    status = MakeGood(connection, *bases, missing);
    if (!status.ok()) return status;
    base += missing;
  }
  figures.accepted = base + last.counted;
  figures.queued_entries = last.entries;
  figures.gap = figures.accepted - known;
  figures.measured_at_us = NowMicros();
  figures.closed = base + first.counted - first.entries <= known && known <= figures.accepted;
  Publish(figures);
  return figures;
}

bool Ledger::AllContinue(const QueueCounts& counts, const Bases& bases) {
  for (std::size_t shard = 0; shard < counts.size(); ++shard) {
    if (!bases[shard].Continues(counts[shard])) return false;
  }
  return true;
}

Ledger::Totals Ledger::Total(const QueueCounts& counts) {
  Totals totals;
  for (const ShardCount& count : counts) {
    totals.counted += count.counted;
    totals.entries += count.entries;
  }
  return totals;
}

// A row that is in both tables for a moment looks like a message that nobody accepted: only what
// stays is believed.
bool Ledger::Persists(std::int64_t missing) {
  const auto now = std::chrono::steady_clock::now();
  if (missing != missing_) {
    missing_ = missing;
    missing_since_ = now;
  }
  return missing > 0 && now - missing_since_ >= settings_.settle;
}

absl::StatusOr<Ledger::Bases> Ledger::ReadBases(db::Connection& connection) const {
  Bases bases;
  const absl::Status status = connection.Query(kReadBases, {}, [&bases](const db::Row& row) {
    const auto shard = static_cast<std::size_t>(row.Int(0));
    if (shard < bases.size()) bases[shard] = {row.Int(1), row.Int(2), row.Int(3)};
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return bases;
}

// What was counted in a life that is over goes to the base first, then the new life gets its mark.
// Lost data count from nothing: what they have counted since is new. Restored ones count again what
// was counted before.
absl::Status Ledger::BeginLives(db::Connection& connection, const QueueCounts& counts,
                                Bases& bases) {
  std::array<std::int64_t, redis::kShards> marks{};
  for (std::size_t shard = 0; shard < counts.size(); ++shard) {
    Base& base = bases[shard];
    if (base.Continues(counts[shard])) continue;
    const bool restored = counts[shard].life != 0;
    if (restored) {
      log::Warn("queue_data_restored", "shard", shard, "counted", base.last_seen, "now",
                counts[shard].counted);
    } else if (base.last_seen > 0) {
      log::Warn("queue_data_lost", "shard", shard, "counted", base.last_seen);
    }
    const std::int64_t counted_again = restored ? counts[shard].counted : 0;
    base = {base.base + base.last_seen - counted_again, counted_again, NowMicros()};
    const absl::Status status = Write(connection, shard, base);
    if (!status.ok()) return status;
    marks[shard] = base.life;
  }
  return MarkLives(queue_, marks);
}

absl::Status Ledger::RememberCounts(db::Connection& connection, const QueueCounts& counts,
                                    Bases& bases) const {
  absl::Status status = connection.Begin();
  for (std::size_t shard = 0; shard < counts.size() && status.ok(); ++shard) {
    Base& base = bases[shard];
    if (counts[shard].counted == base.last_seen && counts[shard].life == base.life) continue;
    base.last_seen = counts[shard].counted;
    base.life = counts[shard].life;
    status = Write(connection, shard, base);
  }
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) connection.Rollback();
  return status;
}

absl::Status Ledger::Write(db::Connection& connection, std::size_t shard, const Base& base) {
  return connection
      .Execute(kWriteBase, {static_cast<std::int64_t>(shard), base.base, base.last_seen, base.life,
                            NowMicros()})
      .status();
}

absl::Status Ledger::ReadRegister(db::Connection& connection, LedgerFigures& figures) const {
  return connection.Query(kReadRegister, {}, [&figures](const db::Row& row) {
    figures.delivered = row.Int(0);
    figures.pending = row.Int(1);
    figures.dead = row.Int(2);
    return absl::OkStatus();
  });
}

absl::Status Ledger::MakeGood(db::Connection& connection, Bases& bases, std::int64_t missing) {
  log::Warn("ledger_made_good", "messages", missing);
  made_good_.Increment(static_cast<double>(missing));
  Base& base = bases.front();
  base.base += missing;
  return Write(connection, 0, base);
}

void Ledger::Publish(const LedgerFigures& figures) {
  accepted_.Set(static_cast<double>(figures.accepted));
  delivered_.Set(static_cast<double>(figures.delivered));
  pending_.Set(static_cast<double>(figures.pending));
  dead_.Set(static_cast<double>(figures.dead));
  queued_entries_.Set(static_cast<double>(figures.queued_entries));
  gap_.Set(static_cast<double>(figures.gap));
  closed_.Set(figures.closed ? 1 : 0);
  measured_at_.Set(static_cast<double>(figures.measured_at_us) / 1e6);
  const std::lock_guard lock(mutex_);
  latest_ = figures;
}

}  // namespace postern::messages
