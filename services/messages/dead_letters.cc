#include "services/messages/dead_letters.h"

#include <utility>

#include "postern/v1/envelope.pb.h"
#include "services/common/audit/act.h"
#include "services/common/base/strings.h"
#include "services/common/log/log.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/condition.h"
#include "services/messages/envelope_check.h"
#include "services/messages/requeue.h"

namespace postern::messages {
namespace {

constexpr char kGroups[] =
    "SELECT reason, COUNT(*), COUNT(DISTINCT client_id), MIN(accepted_at_us), MAX(accepted_at_us)"
    " FROM pending";
constexpr char kOfManyDead[] = " FORCE INDEX (reasons)";
constexpr char kByReason[] = " GROUP BY reason ORDER BY COUNT(*) DESC, reason";
constexpr char kLetters[] = "SELECT id, epoch, shard, envelope FROM pending";
constexpr char kOnePart[] = " ORDER BY id LIMIT ? FOR UPDATE";
constexpr char kRevive[] =
    "UPDATE pending SET state = 1, epoch = ?, attempts = 0, reason = '', last_error = '',"
    " last_attempt_at_us = 0, next_attempt_at_us = 0, entry_id = '', envelope = ?"
    " WHERE id = ? AND state = 4";
// Unless the reconciler was quicker, or it is delivered already.
constexpr char kRemember[] =
    "UPDATE pending SET entry_id = ? WHERE id = ? AND epoch = ? AND entry_id = ''"
    " AND state IN (1, 2)";

struct Letter {
  Uuid id;
  std::int64_t epoch = 0;  // The next one.
  std::uint32_t shard = 0;
  std::string envelope;  // Of that epoch; empty: it is no message.
};

Condition ConditionOf(const DeadLetterFilter& filter) {
  Condition condition;
  condition.Add("state = 4");
  condition.AddUnlessEmpty("reason = ?", filter.reason);
  condition.AddUnlessEmpty("client_id = ?", filter.client_id);
  if (!filter.ids.empty()) {
    condition.Add(StrCat("id IN ", db::Placeholders(1, filter.ids.size())));
    for (const Uuid& id : filter.ids) condition.AddValue(std::string(id.bytes()));
  }
  return condition;
}

absl::StatusOr<Letter> ReadLetter(const db::Row& row) {
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
  if (!id.ok()) return id.status();
  Letter letter{*id, row.Int(1) + 1, static_cast<std::uint32_t>(row.Int(2)) % redis::kShards, ""};
  const std::string stored = row.String(3);
  if (!IsEnvelopeOf(stored, *id)) return letter;
  v1::Envelope envelope;
  envelope.ParseFromString(stored);
  envelope.set_epoch(static_cast<std::uint32_t>(letter.epoch));
  letter.envelope = envelope.SerializeAsString();
  return letter;
}

absl::Status Record(db::Connection& connection, const DeadLetterFilter& filter,
                    const std::vector<Letter>& letters, const std::string& actor) {
  audit::Act act;
  act.actor = actor;
  act.action = "dead_letter.redrive";
  act.target = letters.size() == 1 ? StrCat("message/", letters.front().id.ToString())
                                   : std::string("message/*");
  act.details = {{"count", StrCat(letters.size())},
                 {"first", letters.front().id.ToString()},
                 {"last", letters.back().id.ToString()}};
  if (!filter.reason.empty()) act.details.emplace("reason", filter.reason);
  if (!filter.client_id.empty()) act.details.emplace("client", filter.client_id);
  return audit::Append(connection, act);
}

// In the open transaction: those that can come back, as they are now.
absl::StatusOr<std::vector<Letter>> Revive(db::Connection& connection,
                                           const DeadLetterFilter& filter, const Uuid& after,
                                           int limit, const std::string& actor, RedrivePart& part) {
  Condition condition = ConditionOf(filter);
  condition.Add("id > ?", std::string(after.bytes()));
  condition.AddValue(limit);
  const std::string sql = StrCat(kLetters, condition.sql(), kOnePart);
  std::vector<Letter> letters;
  int found = 0;
  absl::Status status = connection.Query(sql, condition.values(), [&](const db::Row& row) {
    absl::StatusOr<Letter> letter = ReadLetter(row);
    if (!letter.ok()) return letter.status();
    part.last = letter->id;
    ++found;
    if (!letter->envelope.empty()) letters.push_back(*std::move(letter));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  part.end = found < limit;
  part.skipped = found - static_cast<std::int64_t>(letters.size());
  for (const Letter& letter : letters) {
    const absl::StatusOr<std::int64_t> changed = connection.Execute(
        kRevive, {letter.epoch, std::string_view(letter.envelope), letter.id.bytes()});
    if (!changed.ok()) return changed.status();
  }
  // Last of all: it locks the head of the log.
  if (!letters.empty()) status = Record(connection, filter, letters, actor);
  if (!status.ok()) return status;
  return letters;
}

absl::Status Enqueue(db::Connection& connection, QueueClient& queue,
                     const std::vector<Letter>& letters) {
  if (letters.empty()) return absl::OkStatus();
  std::string wire;
  for (const Letter& letter : letters) AppendRequeue(wire, letter.shard, letter.envelope);
  const auto replies = queue.Exchange(std::move(wire), letters.size());
  if (!replies.ok()) return replies.status();
  std::string removals;
  std::size_t extra = 0;
  absl::Status status;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const redis::Reply& reply = (*replies)[i];
    if (reply.IsError()) {
      status = reply.ToStatus();
      continue;
    }
    const absl::StatusOr<std::int64_t> remembered =
        connection.Execute(kRemember, {reply.text(), letters[i].id.bytes(), letters[i].epoch});
    if (remembered.ok() && *remembered == 1) continue;
    if (!remembered.ok()) status = remembered.status();
    AppendRemoval(removals, letters[i].shard, reply.text());
    ++extra;
  }
  if (extra > 0) queue.Exchange(std::move(removals), extra).status().IgnoreError();
  return status;
}

}  // namespace

absl::StatusOr<std::vector<DeadLetterGroup>> SummarizeDeadLetters(db::Connection& connection,
                                                                  const DeadLetterFilter& filter) {
  const Condition condition = ConditionOf(filter);
  const std::string sql =
      StrCat(kGroups, filter.ids.empty() ? kOfManyDead : "", condition.sql(), kByReason);
  std::vector<DeadLetterGroup> groups;
  const absl::Status status = connection.Query(sql, condition.values(), [&](const db::Row& row) {
    groups.push_back({row.String(0), row.Int(1), row.Int(2), row.Int(3), row.Int(4)});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return groups;
}

absl::StatusOr<RedrivePart> RedriveDeadLetters(db::Connection& connection, QueueClient& queue,
                                               const DeadLetterFilter& filter, const Uuid& after,
                                               int limit, const std::string& actor) {
  RedrivePart part;
  part.last = after;
  absl::Status status = connection.Begin();
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<Letter>> letters =
      Revive(connection, filter, after, limit, actor, part);
  status = letters.status();
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) {
    connection.Rollback();
    return status;
  }
  part.redriven = static_cast<std::int64_t>(letters->size());
  // They are queued in the register: what has no entry now gets one from the reconciler.
  status = Enqueue(connection, queue, *letters);
  if (!status.ok()) log::Warn("redriven_not_enqueued_yet", "error", status.ToString());
  return part;
}

}  // namespace postern::messages
