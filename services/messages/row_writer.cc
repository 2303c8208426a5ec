#include "services/messages/row_writer.h"

#include <algorithm>

#include "services/common/base/strings.h"
#include "services/messages/envelope_check.h"

namespace postern::messages {
namespace {

constexpr std::size_t kShapes = 9;
constexpr std::size_t RowsOf(std::size_t shape) { return std::size_t{1} << shape; }

constexpr char kInsertDelivered[] =
    "INSERT INTO messages (id, client_id, domain, client_ref, number_hash, number_masked,"
    " data_key_id, encrypted_body, encrypted_number, metadata_json, traceparent, epoch, attempts,"
    " reason, accepted_at_us, durable_at_us, registered_at_us, delivered_at_us) VALUES ";
constexpr std::size_t kDeliveredColumns = 18;
// Never INSERT IGNORE: it would swallow rows that do not fit, and their messages with them.
constexpr char kKeepDelivered[] = " ON DUPLICATE KEY UPDATE id = messages.id";

constexpr char kInsertPending[] =
    "INSERT INTO pending (id, client_id, domain, client_ref, number_hash, number_masked, state,"
    " epoch, attempts, reason, last_error, last_attempt_at_us, next_attempt_at_us, accepted_at_us,"
    " durable_at_us, registered_at_us, shard, entry_id, envelope) VALUES ";
constexpr std::size_t kPendingColumns = 19;
constexpr char kKeepPending[] = " ON DUPLICATE KEY UPDATE id = pending.id";
// What a report of a failed attempt finds: a row of its own epoch that is not dead, or of an
// earlier one; and whether it is news.
constexpr char kAlive[] = "(VALUES(epoch) > epoch OR (VALUES(epoch) = epoch AND state <> 4))";
constexpr char kNews[] = "VALUES(last_attempt_at_us) > last_attempt_at_us";
constexpr char kBury[] =
    " ON DUPLICATE KEY UPDATE"
    " attempts = attempts + (state <> 4 AND VALUES(epoch) >= epoch),"
    " last_attempt_at_us = IF(state <> 4 AND VALUES(epoch) >= epoch,"
    " VALUES(last_attempt_at_us), last_attempt_at_us),"
    " reason = IF(state <> 4 AND VALUES(epoch) >= epoch, VALUES(reason), reason),"
    " next_attempt_at_us = IF(VALUES(epoch) >= epoch, 0, next_attempt_at_us),"
    " state = IF(VALUES(epoch) >= epoch, 4, state),"
    " epoch = GREATEST(epoch, VALUES(epoch))";

constexpr char kLockPending[] =
    "SELECT id, state, epoch, attempts, registered_at_us, durable_at_us, reason FROM pending"
    " WHERE id IN ";
constexpr char kFindDelivered[] = "SELECT id FROM messages WHERE id IN ";
constexpr char kDeletePending[] = "DELETE FROM pending WHERE id IN ";
constexpr char kAnyPending[] = "SELECT 1 FROM pending WHERE id BETWEEN ? AND ? LIMIT 1";
constexpr char kCountDelivered[] =
    "INSERT INTO ledger_delivered (server, delivered) VALUES (?, ?)"
    " ON DUPLICATE KEY UPDATE delivered = delivered + VALUES(delivered)";

// Assignments run from left to right: what the conditions read comes last. `attempts` is the new
// number from its own assignment on.
std::string CountAttempt(std::int64_t attempts_max) {
  const std::string counts = StrCat(kAlive, " AND ", kNews);
  const std::string exhausted =
      attempts_max == 0 ? std::string("FALSE") : StrCat("attempts >= ", attempts_max);
  return StrCat(
      " ON DUPLICATE KEY UPDATE"
      " attempts = IF(VALUES(epoch) > epoch, 1, attempts + (",
      counts,
      ")),"
      " last_error = IF(",
      counts,
      ", VALUES(last_error), last_error),"
      " reason = IF(",
      counts, ", IF(", exhausted, ", '", kAttemptsExhausted,
      "', VALUES(reason)), reason),"
      " next_attempt_at_us = IF(",
      counts, ", IF(", exhausted,
      ", 0, VALUES(next_attempt_at_us)), next_attempt_at_us),"
      " entry_id = IF(entry_id = '', VALUES(entry_id), entry_id),"
      " last_attempt_at_us = IF(",
      counts,
      ", VALUES(last_attempt_at_us), last_attempt_at_us),"
      " state = IF(",
      kAlive, ", IF(", exhausted,
      ", 4, 2), state),"
      " epoch = GREATEST(epoch, VALUES(epoch))");
}

std::vector<std::string> RowShapes(std::string_view head, std::size_t columns,
                                   std::string_view tail) {
  std::vector<std::string> shapes;
  for (std::size_t shape = 0; shape < kShapes; ++shape) {
    shapes.push_back(StrCat(head, db::Placeholders(RowsOf(shape), columns), tail));
  }
  return shapes;
}

std::vector<std::string> ListShapes(std::string_view head, std::string_view tail) {
  std::vector<std::string> shapes;
  for (std::size_t shape = 0; shape < kShapes; ++shape) {
    shapes.push_back(StrCat(head, db::Placeholders(1, RowsOf(shape)), tail));
  }
  return shapes;
}

db::Value TextOrNull(std::string_view text) {
  return text.empty() ? db::Value(std::monostate{}) : db::Value(text);
}

void Bind(const DeliveredRow& row, std::vector<db::Value>& values) {
  const v1::Envelope& envelope = *row.envelope;
  values.insert(
      values.end(),
      {row.id->bytes(), envelope.client_id(), envelope.domain(), TextOrNull(envelope.client_ref()),
       row.number->hash, row.number->masked, envelope.data_key_id(), envelope.encrypted_body(),
       envelope.encrypted_number(), envelope.metadata_json(), envelope.traceparent(), row.epoch,
       row.attempts, row.reason, envelope.accepted_at_us(), row.durable_at_us, row.registered_at_us,
       row.delivered_at_us});
}

void Bind(const PendingRow& row, std::vector<db::Value>& values) {
  values.insert(values.end(),
                {row.id->bytes(), row.client_id, row.domain, TextOrNull(row.client_ref),
                 TextOrNull(row.number.hash), row.number.masked,
                 static_cast<std::int64_t>(row.state), row.epoch, row.attempts, row.reason,
                 row.last_error, row.last_attempt_at_us, row.next_attempt_at_us, row.accepted_at_us,
                 row.durable_at_us, row.registered_at_us, row.shard, row.entry_id, row.envelope});
}

}  // namespace

RowWriter::RowWriter(std::int64_t attempts_max)
    : insert_delivered_(RowShapes(kInsertDelivered, kDeliveredColumns, kKeepDelivered)),
      delete_pending_(ListShapes(kDeletePending, "")),
      lock_pending_(ListShapes(kLockPending, " FOR UPDATE")),
      find_delivered_(ListShapes(kFindDelivered, "")),
      find_delivered_before_(ListShapes(kFindDelivered, " AND delivered_at_us <> ?")) {
  for (const std::string& tail :
       {std::string(kKeepPending), CountAttempt(attempts_max), std::string(kBury)}) {
    upsert_pending_.push_back(RowShapes(kInsertPending, kPendingColumns, tail));
  }
}

// Cuts `rows` into shapes; `bind(first, count)` fills values_.
template <typename Bind>
absl::StatusOr<std::int64_t> RowWriter::Run(db::Connection& connection, const Shapes& shapes,
                                            std::size_t rows, const Bind& bind) {
  std::int64_t affected = 0;
  for (std::size_t first = 0; first < rows;) {
    std::size_t shape = kShapes - 1;
    while (RowsOf(shape) > rows - first) --shape;
    values_.clear();
    bind(first, RowsOf(shape));
    absl::StatusOr<std::int64_t> done = connection.Execute(shapes[shape], values_);
    if (!done.ok()) return done;
    affected += *done;
    first += RowsOf(shape);
  }
  return affected;
}

// In good times `pending` holds nothing of the time that the ids are of: one look at the range then
// saves a look for each id. It takes no lock. A row that another server adds meanwhile is one that
// comes too late: the reconciler removes it.
absl::StatusOr<bool> RowWriter::AnyPendingInRange(db::Connection& connection,
                                                  const std::vector<const Uuid*>& ids) {
  const auto [low, high] = std::minmax_element(
      ids.begin(), ids.end(), [](const Uuid* a, const Uuid* b) { return *a < *b; });
  bool any = false;
  values_.assign({(*low)->bytes(), (*high)->bytes()});
  absl::Status status = connection.Query(kAnyPending, values_, [&any](const db::Row&) {
    any = true;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return any;
}

absl::StatusOr<absl::flat_hash_map<Uuid, PendingFacts>> RowWriter::LockPending(
    db::Connection& connection, const std::vector<const Uuid*>& ids) {
  absl::flat_hash_map<Uuid, PendingFacts> found;
  if (ids.empty()) return found;
  if (!expect_pending_) {
    absl::StatusOr<bool> any = AnyPendingInRange(connection, ids);
    if (!any.ok()) return any.status();
    if (!*any) return found;
  }
  const auto on_row = [&found](const db::Row& row) {
    absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
    if (!id.ok()) return id.status();
    PendingFacts facts;
    facts.state = static_cast<RowState>(row.Int(1));
    facts.epoch = row.Int(2);
    facts.attempts = row.Int(3);
    facts.registered_at_us = row.Int(4);
    facts.durable_at_us = row.Int(5);
    facts.reason = row.String(6);
    found.emplace(*id, std::move(facts));
    return absl::OkStatus();
  };
  for (std::size_t first = 0; first < ids.size();) {
    std::size_t shape = kShapes - 1;
    while (RowsOf(shape) > ids.size() - first) --shape;
    values_.clear();
    for (std::size_t i = 0; i < RowsOf(shape); ++i) values_.push_back(ids[first + i]->bytes());
    absl::Status status = connection.Query(lock_pending_[shape], values_, on_row);
    if (!status.ok()) return status;
    first += RowsOf(shape);
  }
  // After an outage every message has a row: then the look at the range is in vain.
  expect_pending_ = found.size() * 2 > ids.size();
  return found;
}

absl::StatusOr<absl::flat_hash_set<Uuid>> RowWriter::FindDelivered(
    db::Connection& connection, const std::vector<const Uuid*>& ids) {
  return FindIds(connection, find_delivered_, ids, {});
}

absl::StatusOr<absl::flat_hash_set<Uuid>> RowWriter::FindDeliveredBefore(
    db::Connection& connection, const std::vector<const Uuid*>& ids, std::int64_t now_us) {
  return FindIds(connection, find_delivered_before_, ids, {now_us});
}

absl::StatusOr<absl::flat_hash_set<Uuid>> RowWriter::FindIds(
    db::Connection& connection, const Shapes& shapes, const std::vector<const Uuid*>& ids,
    const std::vector<db::Value>& after_ids) {
  absl::flat_hash_set<Uuid> found;
  const auto on_row = [&found](const db::Row& row) {
    absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
    if (!id.ok()) return id.status();
    found.insert(*id);
    return absl::OkStatus();
  };
  for (std::size_t first = 0; first < ids.size();) {
    std::size_t shape = kShapes - 1;
    while (RowsOf(shape) > ids.size() - first) --shape;
    values_.clear();
    for (std::size_t i = 0; i < RowsOf(shape); ++i) values_.push_back(ids[first + i]->bytes());
    values_.insert(values_.end(), after_ids.begin(), after_ids.end());
    absl::Status status = connection.Query(shapes[shape], values_, on_row);
    if (!status.ok()) return status;
    first += RowsOf(shape);
  }
  return found;
}

absl::StatusOr<std::int64_t> RowWriter::InsertDelivered(db::Connection& connection,
                                                        const std::vector<DeliveredRow>& rows) {
  return Run(connection, insert_delivered_, rows.size(), [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) Bind(rows[i], values_);
  });
}

absl::StatusOr<std::int64_t> RowWriter::UpsertPending(db::Connection& connection,
                                                      const std::vector<PendingRow>& rows,
                                                      OnPendingRow on_row) {
  const Shapes& shapes = upsert_pending_[static_cast<std::size_t>(on_row)];
  return Run(connection, shapes, rows.size(), [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) Bind(rows[i], values_);
  });
}

absl::Status RowWriter::DeletePending(db::Connection& connection,
                                      const std::vector<const Uuid*>& ids) {
  return Run(connection, delete_pending_, ids.size(),
             [&](std::size_t first, std::size_t count) {
               for (std::size_t i = first; i < first + count; ++i)
                 values_.push_back(ids[i]->bytes());
             })
      .status();
}

absl::Status RowWriter::CountDelivered(db::Connection& connection, std::string_view server,
                                       std::int64_t delivered) {
  return connection.Execute(kCountDelivered, {server, delivered}).status();
}

}  // namespace postern::messages
