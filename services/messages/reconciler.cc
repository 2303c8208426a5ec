#include "services/messages/reconciler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"
#include "services/messages/row_writer.h"

namespace postern::messages {
namespace {

constexpr char kNextPage[] =
    "SELECT id, shard, entry_id FROM pending"
    " WHERE id > ? AND state IN (1, 2) AND registered_at_us < ? ORDER BY id LIMIT ?";
constexpr char kEnvelope[] = "SELECT envelope FROM pending WHERE id = ? AND state IN (1, 2)";
// Only while the row is as it was read and the lease is ours.
constexpr char kRemember[] =
    "UPDATE pending SET entry_id = ? WHERE id = ? AND entry_id = ? AND state IN (1, 2)"
    " AND (SELECT token FROM leases WHERE name = ?) = ?";

// The entry first, then the count of what was put there again: both or neither, since a script is
// one step.
constexpr char kRequeueScript[] =
    "local id = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2]) "
    "redis.call('INCR', KEYS[2]) "
    "return id";
void AppendRequeue(std::string& wire, std::uint32_t shard, std::string_view envelope) {
  redis::AppendCommand(wire, "EVAL", kRequeueScript, "2", redis::StreamKey(shard),
                       redis::RequeuedKey(shard), redis::kEnvelopeField, envelope);
}

}  // namespace

Reconciler::Reconciler(Settings settings, QueueClient& queue, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      queue_(queue),
      lease_("reconciler", settings_.holder, kLeaseDuration),
      requeued_(metrics.Counter("postern_reconciler_requeued_total",
                                "Messages put back into a queue that had lost them.")),
      removed_(metrics.Counter("postern_reconciler_removed_total",
                               "Pending rows removed because their message was delivered.")),
      failures_(metrics.Counter("postern_reconciler_failures_total",
                                "Runs of the reconciler that ended with an error.")),
      leader_(metrics.Gauge("postern_reconciler_leader",
                            "Whether this server holds the reconciler's lease.")) {}

Reconciler::~Reconciler() { Stop(); }

void Reconciler::Start() {
  const auto failed = [this](const absl::Status& status) {
    failures_.Increment();
    if (warn_limit_.Allow()) log::Warn("reconciler_failed", "error", status.ToString());
  };
  auto step = [this, failed](db::Connection& connection) {
    const absl::StatusOr<Result> result = RunOnce(connection);
    leader_.Set(result.ok() && result->leader ? 1 : 0);
    if (!result.ok()) failed(result.status());
    if (result.ok() && result->requeued + result->removed > 0) {
      log::Info("reconciled", "requeued", result->requeued, "removed", result->removed);
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

    absl::StatusOr<std::vector<PendingEntry>> page = NextPage(connection);
    if (!page.ok()) return page.status();
    if (page->empty()) {
      cursor_ = Uuid();
      return result;
    }
    const Uuid last = page->back().id;
    result.looked_at += static_cast<std::int64_t>(page->size());
    absl::Status status = RemoveDelivered(connection, *page, result);
    if (!status.ok()) return status;
    absl::StatusOr<std::vector<PendingEntry>> missing = Missing(*std::move(page));
    if (!missing.ok()) return missing.status();
    if (missing->empty()) {
      ++page_number;
    } else {
      status = Requeue(connection, *missing, **token, result);
      if (!status.ok()) return status;
    }
    cursor_ = last;
  }
  return result;
}

absl::StatusOr<std::vector<Reconciler::PendingEntry>> Reconciler::NextPage(
    db::Connection& connection) const {
  std::vector<PendingEntry> page;
  const std::int64_t before_us = NowMicros() - std::chrono::microseconds(settings_.grace).count();
  const absl::Status status = connection.Query(
      kNextPage, {cursor_.bytes(), before_us, std::int64_t{kReconcilePageRows}},
      [&page](const db::Row& row) {
        absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
        if (!id.ok()) return id.status();
        page.push_back({*id, static_cast<std::uint32_t>(row.Int(1)), row.String(2)});
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return page;
}

// A registration that came to another server than its delivery, and too late.
absl::Status Reconciler::RemoveDelivered(db::Connection& connection,
                                         std::vector<PendingEntry>& page, Result& result) const {
  RowWriter rows;
  std::vector<const Uuid*> ids;
  for (const PendingEntry& entry : page) ids.push_back(&entry.id);
  const absl::StatusOr<absl::flat_hash_set<Uuid>> delivered = rows.FindDelivered(connection, ids);
  if (!delivered.ok()) return delivered.status();
  if (delivered->empty()) return absl::OkStatus();
  std::vector<const Uuid*> gone;
  for (const Uuid& id : *delivered) gone.push_back(&id);
  absl::Status status = rows.DeletePending(connection, gone);
  if (!status.ok()) return status;
  result.removed += static_cast<std::int64_t>(gone.size());
  removed_.Increment(static_cast<double>(gone.size()));
  page.erase(
      std::remove_if(page.begin(), page.end(),
                     [&](const PendingEntry& entry) { return delivered->contains(entry.id); }),
      page.end());
  return absl::OkStatus();
}

// Those whose entry is not in the queue.
absl::StatusOr<std::vector<Reconciler::PendingEntry>> Reconciler::Missing(
    std::vector<PendingEntry> page) {
  std::vector<PendingEntry> missing;
  std::vector<PendingEntry> asked;
  for (PendingEntry& entry : page) {
    const bool has_entry = entry.shard < redis::kShards && EntryTimeMicros(entry.entry_id) > 0;
    entry.shard %= redis::kShards;
    (has_entry ? asked : missing).push_back(std::move(entry));
  }
  for (std::size_t first = 0; first < asked.size(); first += kQueueLooksPerExchange) {
    const std::size_t end = std::min(asked.size(), first + kQueueLooksPerExchange);
    std::string wire;
    for (std::size_t i = first; i < end; ++i) {
      redis::AppendCommand(wire, "XRANGE", redis::StreamKey(asked[i].shard), asked[i].entry_id,
                           asked[i].entry_id);
    }
    absl::StatusOr<std::vector<redis::Reply>> replies =
        queue_.Exchange(std::move(wire), end - first);
    if (!replies.ok()) return replies.status();
    for (std::size_t i = first; i < end; ++i) {
      const redis::Reply& reply = (*replies)[i - first];
      if (reply.IsError()) return reply.ToStatus();
      if (!reply.IsArray() || reply.raw().elements == 0) missing.push_back(std::move(asked[i]));
    }
  }
  return missing;
}

absl::Status Reconciler::Requeue(db::Connection& connection,
                                 const std::vector<PendingEntry>& missing, std::int64_t token,
                                 Result& result) {
  absl::StatusOr<std::vector<Requeued>> added = AddEntries(connection, missing);
  if (!added.ok()) return added.status();
  const absl::StatusOr<std::vector<const Requeued*>> extra =
      RememberEntries(connection, *added, token);
  if (!extra.ok()) {
    // Nothing is remembered: without their rows the entries would be made again at each run.
    std::vector<const Requeued*> all;
    for (const Requeued& entry : *added) all.push_back(&entry);
    RemoveEntries(all).IgnoreError();
    return extra.status();
  }
  const auto kept = static_cast<std::int64_t>(added->size() - extra->size());
  result.requeued += kept;
  requeued_.Increment(static_cast<double>(kept));
  return RemoveEntries(*extra);
}

absl::StatusOr<std::vector<Reconciler::Requeued>> Reconciler::AddEntries(
    db::Connection& connection, const std::vector<PendingEntry>& missing) {
  std::vector<Requeued> added;
  std::string wire;
  for (const PendingEntry& entry : missing) {
    const absl::Status status =
        connection.Query(kEnvelope, {entry.id.bytes()}, [&](const db::Row& row) {
          AppendRequeue(wire, entry.shard, row.String(0));
          added.push_back({&entry, ""});
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
  }
  if (added.empty()) return added;
  absl::StatusOr<std::vector<redis::Reply>> replies =
      queue_.Exchange(std::move(wire), added.size());
  if (!replies.ok()) return replies.status();
  absl::Status failure;
  std::vector<Requeued> done;
  for (std::size_t i = 0; i < added.size(); ++i) {
    const redis::Reply& reply = (*replies)[i];
    if (reply.IsError()) {
      failure = reply.ToStatus();
      continue;
    }
    added[i].entry_id = std::string(reply.text());
    done.push_back(std::move(added[i]));
  }
  // A queue that is full takes some and refuses others: what it took has to be remembered.
  if (done.empty() && !failure.ok()) return failure;
  return done;
}

// Writes the new entry ids; those whose row did not wait for it come back.
absl::StatusOr<std::vector<const Reconciler::Requeued*>> Reconciler::RememberEntries(
    db::Connection& connection, const std::vector<Requeued>& added, std::int64_t token) const {
  std::vector<const Requeued*> extra;
  absl::Status status = connection.Begin();
  for (const Requeued& entry : added) {
    if (!status.ok()) break;
    const absl::StatusOr<std::int64_t> changed =
        connection.Execute(kRemember, {std::string_view(entry.entry_id), entry.pending->id.bytes(),
                                       std::string_view(entry.pending->entry_id),
                                       std::string_view(lease_.name()), token});
    status = changed.status();
    if (status.ok() && *changed == 0) extra.push_back(&entry);
  }
  if (status.ok()) status = connection.Commit();
  if (status.ok()) return extra;
  connection.Rollback();
  return status;
}

// An extra entry goes, its count among the re-enqueued stays: entries-added counts it, too.
absl::Status Reconciler::RemoveEntries(const std::vector<const Requeued*>& extra) {
  if (extra.empty()) return absl::OkStatus();
  std::string wire;
  for (const Requeued* entry : extra) {
    redis::AppendCommand(wire, "XDEL", redis::StreamKey(entry->pending->shard), entry->entry_id);
  }
  return queue_.Exchange(std::move(wire), extra.size()).status();
}

}  // namespace postern::messages
