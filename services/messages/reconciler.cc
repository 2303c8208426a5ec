#include "services/messages/reconciler.h"

#include <optional>
#include <utility>

#include "services/messages/limits.h"

namespace postern::messages {

Reconciler::Reconciler(Settings settings, QueueClient& queue, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      queue_(queue),
      repair_(queue, settings_.grace, settings_.tally_sink),
      lease_("reconciler", settings_.holder, kLeaseDuration),
      requeued_(metrics.Counter("postern_reconciler_requeued_total",
                                "Messages put back into a queue that had lost them.")),
      removed_(metrics.Counter("postern_reconciler_removed_total",
                               "Pending rows removed because their message was delivered.")),
      quarantined_(metrics.Counter("postern_reconciler_quarantined_total",
                                   "Pending rows made dead because their envelope was altered.")),
      unheld_(metrics.Counter("postern_reconciler_unheld_total",
                              "Entries that had been read and that nobody held, given back.")),
      failures_(metrics.Counter("postern_reconciler_failures_total",
                                "Runs of the reconciler that ended with an error.")),
      leader_(metrics.Gauge("postern_reconciler_leader",
                            "Whether this server holds the reconciler's lease.")),
      sweep_(queue) {}

Reconciler::~Reconciler() { Stop(); }

void Reconciler::Start() {
  const auto failed = [this](const absl::Status& status) {
    leader_.Set(0);
    failures_.Increment();
    if (warn_limit_.Allow()) log::Warn("reconciler_failed", "error", status.ToString());
  };
  auto step = [this, failed](db::Connection& connection) {
    const absl::StatusOr<Result> result = RunOnce(connection);
    if (result.ok()) {
      leader_.Set(result->leader ? 1 : 0);
    } else {
      failed(result.status());
    }
    return settings_.interval;
  };
  auto release = [this](db::Connection& connection) { lease_.Release(connection).IgnoreError(); };
  thread_ = std::make_unique<db::UpkeepThread>("reconciler", settings_.database, settings_.interval,
                                               db::UpkeepThread::Callbacks{step, failed, release});
}

void Reconciler::Stop() {
  if (thread_ == nullptr) return;
  thread_->Stop();
  thread_.reset();
}

absl::StatusOr<Reconciler::Result> Reconciler::RunOnce(db::Connection& connection) {
  Result result;
  for (int page_number = 0; page_number < kReconcilePagesPerRun;) {
    // Again for each page: it renews the lease, and tells when it was lost.
    const absl::StatusOr<std::optional<std::int64_t>> token = lease_.Acquire(connection);
    if (!token.ok()) return token.status();
    result.leader = token->has_value();
    if (!result.leader) return result;
    if (page_number == 0 && result.looked_at == 0) {
      const absl::StatusOr<std::int64_t> unheld = sweep_.Run(UnheldSweep::Mode::kGiveBack);
      if (!unheld.ok()) return unheld.status();
      result.unheld = *unheld;
      Result swept;
      swept.unheld = *unheld;
      Count(swept);
    }
    const absl::StatusOr<QueueRepair::Page> page =
        repair_.Heal(connection, cursor_, {lease_.name(), **token});
    if (!page.ok()) return page.status();
    Result found;
    found.Add(page->result);
    Count(found);
    result.Add(page->result);
    cursor_ = page->end ? Uuid() : page->last;
    if (page->end) return result;
    if (page->result.requeued == 0) ++page_number;
  }
  return result;
}

absl::StatusOr<Reconciler::Part> Reconciler::RunPart(db::Connection& connection, Mode mode,
                                                     const Uuid& after) {
  Part part;
  part.last = after;
  QueueRepair::Fence fence{lease_.name(), 0};
  if (mode == Mode::kHeal) {
    const absl::StatusOr<std::int64_t> token = lease_.Seize(connection);
    if (!token.ok()) return token.status();
    fence.token = *token;
  }
  if (after == Uuid()) {
    UnheldSweep sweep(queue_);
    const auto sweeping =
        mode == Mode::kHeal ? UnheldSweep::Mode::kGiveBack : UnheldSweep::Mode::kLook;
    const absl::StatusOr<std::int64_t> unheld = sweep.Run(sweeping);
    if (!unheld.ok()) return unheld.status();
    part.result.unheld = *unheld;
  }
  for (int page_number = 0; page_number < kReconcilePagesPerPart && !part.end; ++page_number) {
    const absl::StatusOr<QueueRepair::Page> page = mode == Mode::kHeal
                                                       ? repair_.Heal(connection, part.last, fence)
                                                       : repair_.Look(connection, part.last);
    if (!page.ok()) return page.status();
    part.result.Add(page->result);
    part.end = page->end;
    if (!page->end) part.last = page->last;
  }
  if (mode == Mode::kHeal) Count(part.result);
  return part;
}

void Reconciler::Count(const Result& result) {
  requeued_.Increment(static_cast<double>(result.requeued));
  removed_.Increment(static_cast<double>(result.removed));
  quarantined_.Increment(static_cast<double>(result.quarantined));
  unheld_.Increment(static_cast<double>(result.unheld));
  if (result.requeued + result.removed + result.quarantined + result.unheld == 0) return;
  log::Info("reconciled", "requeued", result.requeued, "removed", result.removed, "quarantined",
            result.quarantined, "unheld", result.unheld);
}

}  // namespace postern::messages
