#include "services/messages/queue_repair.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/redis/command.h"
#include "services/common/redis/fields.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"
#include "services/messages/requeue.h"
#include "services/messages/row_writer.h"

namespace postern::messages {
namespace {

constexpr char kNextPage[] =
    "SELECT id, shard, entry_id FROM pending"
    " WHERE id > ? AND state IN (1, 2) AND registered_at_us < ? ORDER BY id LIMIT ?";
constexpr char kEnvelope[] =
    "SELECT envelope, client_id FROM pending WHERE id = ? AND state IN (1, 2)";
// Only while the row is as it was read and the lease is ours.
constexpr char kRemember[] =
    "UPDATE pending SET entry_id = ? WHERE id = ? AND entry_id = ? AND state IN (1, 2)"
    " AND (SELECT token FROM leases WHERE name = ?) = ?";
constexpr char kQuarantine[] =
    "UPDATE pending SET state = 4, reason = ?, next_attempt_at_us = 0"
    " WHERE id = ? AND entry_id = ? AND state IN (1, 2)"
    " AND (SELECT token FROM leases WHERE name = ?) = ?";

// Whether the answer to XRANGE is this message. Ids of entries can come again when the queue's data
// were lost and the clock stepped back.
bool HoldsMessage(const redis::Reply& reply, const Uuid& id) {
  if (!reply.IsArray() || reply.raw().elements == 0) return false;
  const redisReply& entry = *reply.raw().element[0];
  if (entry.type != REDIS_REPLY_ARRAY || entry.elements != 2) return false;
  return IsEnvelopeOf(redis::TextField(*entry.element[1], redis::kEnvelopeField), id);
}

}  // namespace

void RepairResult::Add(const RepairResult& other) {
  looked_at += other.looked_at;
  requeued += other.requeued;
  removed += other.removed;
  quarantined += other.quarantined;
}

absl::StatusOr<QueueRepair::Page> QueueRepair::Look(db::Connection& connection,
                                                    const Uuid& after) const {
  absl::StatusOr<std::vector<PendingEntry>> rows = NextPage(connection, after);
  if (!rows.ok()) return rows.status();
  Page page;
  page.end = rows->empty();
  if (page.end) return page;
  page.last = rows->back().id;
  page.result.looked_at = static_cast<std::int64_t>(rows->size());
  const absl::StatusOr<std::vector<Uuid>> delivered = TakeDelivered(connection, *rows);
  if (!delivered.ok()) return delivered.status();
  page.result.removed = static_cast<std::int64_t>(delivered->size());
  const absl::StatusOr<std::vector<PendingEntry>> missing = Missing(*std::move(rows));
  if (!missing.ok()) return missing.status();
  const absl::StatusOr<Contents> contents = ReadContents(connection, *missing);
  if (!contents.ok()) return contents.status();
  page.result.requeued = static_cast<std::int64_t>(contents->good.size());
  page.result.quarantined = static_cast<std::int64_t>(contents->bad.size());
  return page;
}

absl::StatusOr<QueueRepair::Page> QueueRepair::Heal(db::Connection& connection, const Uuid& after,
                                                    const Fence& fence) const {
  absl::StatusOr<std::vector<PendingEntry>> rows = NextPage(connection, after);
  if (!rows.ok()) return rows.status();
  Page page;
  page.end = rows->empty();
  if (page.end) return page;
  page.last = rows->back().id;
  page.result.looked_at = static_cast<std::int64_t>(rows->size());
  const absl::StatusOr<std::vector<Uuid>> delivered = TakeDelivered(connection, *rows);
  if (!delivered.ok()) return delivered.status();
  absl::Status status = RemoveRows(connection, *delivered);
  if (!status.ok()) return status;
  page.result.removed = static_cast<std::int64_t>(delivered->size());
  const absl::StatusOr<std::vector<PendingEntry>> missing = Missing(*std::move(rows));
  if (!missing.ok()) return missing.status();
  if (!missing->empty()) status = Requeue(connection, *missing, fence, page.result);
  if (!status.ok()) return status;
  return page;
}

absl::StatusOr<std::vector<QueueRepair::PendingEntry>> QueueRepair::NextPage(
    db::Connection& connection, const Uuid& after) const {
  std::vector<PendingEntry> page;
  const std::int64_t before_us = NowMicros() - std::chrono::microseconds(grace_).count();
  const absl::Status status = connection.Query(
      kNextPage, {after.bytes(), before_us, std::int64_t{kReconcilePageRows}},
      [&page](const db::Row& row) {
        absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
        if (!id.ok()) return id.status();
        page.push_back({*id, static_cast<std::uint32_t>(row.Int(1)), row.String(2)});
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return page;
}

// A registration that came to another server than its delivery, and too late. They leave the page.
absl::StatusOr<std::vector<Uuid>> QueueRepair::TakeDelivered(db::Connection& connection,
                                                             std::vector<PendingEntry>& page) {
  RowWriter rows;
  std::vector<const Uuid*> ids;
  for (const PendingEntry& entry : page) ids.push_back(&entry.id);
  const absl::StatusOr<absl::flat_hash_set<Uuid>> delivered = rows.FindDelivered(connection, ids);
  if (!delivered.ok()) return delivered.status();
  std::erase_if(page, [&](const PendingEntry& entry) { return delivered->contains(entry.id); });
  return std::vector<Uuid>(delivered->begin(), delivered->end());
}

absl::Status QueueRepair::RemoveRows(db::Connection& connection, const std::vector<Uuid>& ids) {
  RowWriter rows;
  std::vector<const Uuid*> gone;
  for (const Uuid& id : ids) gone.push_back(&id);
  return rows.DeletePending(connection, gone);
}

// Those whose entry is not in the queue.
absl::StatusOr<std::vector<QueueRepair::PendingEntry>> QueueRepair::Missing(
    std::vector<PendingEntry> page) const {
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
    const auto replies = queue_.Exchange(std::move(wire), end - first);
    if (!replies.ok()) return replies.status();
    for (std::size_t i = first; i < end; ++i) {
      const redis::Reply& reply = (*replies)[i - first];
      if (reply.IsError()) return reply.ToStatus();
      if (!HoldsMessage(reply, asked[i].id)) missing.push_back(std::move(asked[i]));
    }
  }
  return missing;
}

absl::Status QueueRepair::Requeue(db::Connection& connection,
                                  const std::vector<PendingEntry>& missing, const Fence& fence,
                                  RepairResult& result) const {
  absl::StatusOr<Contents> contents = ReadContents(connection, missing);
  if (!contents.ok()) return contents.status();
  if (!contents->bad.empty()) {
    const absl::Status quarantined = Quarantine(connection, contents->bad, fence, result);
    if (!quarantined.ok()) return quarantined;
  }
  const absl::StatusOr<std::vector<Requeued>> added = AddEntries(*std::move(contents));
  if (!added.ok()) return added.status();
  const absl::StatusOr<std::vector<const Requeued*>> extra =
      RememberEntries(connection, *added, fence);
  if (!extra.ok()) {
    // Nothing is remembered: without their rows the entries would be made again at each run.
    std::vector<const Requeued*> all;
    for (const Requeued& entry : *added) all.push_back(&entry);
    RemoveEntries(all).IgnoreError();
    return extra.status();
  }
  result.requeued += static_cast<std::int64_t>(added->size() - extra->size());
  return RemoveEntries(*extra);
}

// A row whose envelope is not this message's would come back from the worker as another dead letter
// and be put into the queue again, for ever.
absl::StatusOr<QueueRepair::Contents> QueueRepair::ReadContents(
    db::Connection& connection, const std::vector<PendingEntry>& missing) {
  Contents contents;
  for (const PendingEntry& entry : missing) {
    const absl::Status status =
        connection.Query(kEnvelope, {entry.id.bytes()}, [&](const db::Row& row) {
          const std::string envelope = row.String(0);
          if (IsEnvelopeOf(envelope, entry.id)) {
            AppendRequeue(contents.wire, entry.shard, envelope);
            contents.good.push_back({&entry, ""});
          } else {
            contents.bad.push_back({&entry, row.String(1)});
          }
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
  }
  return contents;
}

absl::StatusOr<std::vector<QueueRepair::Requeued>> QueueRepair::AddEntries(
    Contents contents) const {
  std::vector<Requeued> added;
  if (contents.good.empty()) return added;
  const auto replies = queue_.Exchange(std::move(contents.wire), contents.good.size());
  if (!replies.ok()) return replies.status();
  absl::Status failure;
  for (std::size_t i = 0; i < contents.good.size(); ++i) {
    const redis::Reply& reply = (*replies)[i];
    if (reply.IsError()) {
      failure = reply.ToStatus();
      continue;
    }
    contents.good[i].entry_id = std::string(reply.text());
    added.push_back(std::move(contents.good[i]));
  }
  // A queue that is full takes some and refuses others: what it took has to be remembered.
  if (added.empty() && !failure.ok()) return failure;
  return added;
}

// Writes the new entry ids; those whose row did not wait for it come back.
absl::StatusOr<std::vector<const QueueRepair::Requeued*>> QueueRepair::RememberEntries(
    db::Connection& connection, const std::vector<Requeued>& added, const Fence& fence) {
  std::vector<const Requeued*> extra;
  absl::Status status = connection.Begin();
  for (const Requeued& entry : added) {
    if (!status.ok()) break;
    const absl::StatusOr<std::int64_t> changed =
        connection.Execute(kRemember, {std::string_view(entry.entry_id), entry.pending->id.bytes(),
                                       std::string_view(entry.pending->entry_id),
                                       std::string_view(fence.lease), fence.token});
    status = changed.status();
    if (status.ok() && *changed == 0) extra.push_back(&entry);
  }
  if (status.ok()) status = connection.Commit();
  if (status.ok()) return extra;
  connection.Rollback();
  return status;
}

absl::Status QueueRepair::RemoveEntries(const std::vector<const Requeued*>& extra) const {
  if (extra.empty()) return absl::OkStatus();
  std::string wire;
  for (const Requeued* entry : extra) {
    AppendRemoval(wire, entry->pending->shard, entry->entry_id);
  }
  return queue_.Exchange(std::move(wire), extra.size()).status();
}

absl::Status QueueRepair::Quarantine(db::Connection& connection, const std::vector<Altered>& bad,
                                     const Fence& fence, RepairResult& result) const {
  absl::Status status = connection.Begin();
  if (!status.ok()) return status;
  const absl::StatusOr<std::int64_t> dead = MakeDead(connection, bad, fence);
  status = dead.status();
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) {
    connection.Rollback();
    return status;
  }
  result.quarantined += *dead;
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> QueueRepair::MakeDead(db::Connection& connection,
                                                   const std::vector<Altered>& bad,
                                                   const Fence& fence) const {
  const std::int64_t now_us = NowMicros();
  Tally tally;
  std::int64_t dead = 0;
  for (const auto& [entry, client_id] : bad) {
    const absl::StatusOr<std::int64_t> changed =
        connection.Execute(kQuarantine, {std::string_view(kMalformedEnvelope), entry->id.bytes(),
                                         std::string_view(entry->entry_id),
                                         std::string_view(fence.lease), fence.token});
    if (!changed.ok()) return changed.status();
    if (*changed == 0) continue;
    log::Error("pending_row_quarantined", "id", entry->id.ToString());
    tally.Dead(client_id, now_us);
    ++dead;
  }
  if (tally_sink_ && !tally.empty()) {
    const absl::Status kept = tally_sink_(connection, tally);
    if (!kept.ok()) return kept;
  }
  return dead;
}

}  // namespace postern::messages
