#include "services/messages/message_repository.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::messages {
namespace {

constexpr std::int64_t kNearMicros = std::int64_t{86'400} * 1'000'000;

// Those of `pending` that a delivery overtook between the two reads go.
void Merge(std::vector<StoredMessage> pending, std::vector<StoredMessage>& delivered) {
  absl::flat_hash_set<Uuid> ids;
  for (const StoredMessage& stored : delivered) ids.insert(stored.ciphertext.message_id);
  for (StoredMessage& stored : pending) {
    if (!ids.contains(stored.ciphertext.message_id)) delivered.push_back(std::move(stored));
  }
  std::sort(delivered.begin(), delivered.end(), [](const StoredMessage& a, const StoredMessage& b) {
    return a.ciphertext.message_id > b.ciphertext.message_id;
  });
}

// What leads to the rows by an index is asked in every partition. There a page is looked for in the
// day next to where it begins first; nothing where that would not help.
std::optional<MessageQuery> NextDayOnly(const MessageQuery& query) {
  if (!IsLedByIndex(query)) return std::nullopt;
  MessageQuery near = query;
  if (query.after.has_value()) {
    const std::int64_t until_us = query.after->TimestampMillis() * 1000 + kNearMicros;
    if (query.accepted_until_us != 0 && query.accepted_until_us <= until_us) return std::nullopt;
    near.accepted_until_us = until_us;
  } else {
    std::int64_t end_us =
        query.before.has_value() ? query.before->TimestampMillis() * 1000 : NowMicros();
    if (query.accepted_until_us != 0) end_us = std::min(end_us, query.accepted_until_us);
    const std::int64_t from_us = std::max<std::int64_t>(end_us - kNearMicros, 1);
    if (query.accepted_from_us >= from_us) return std::nullopt;
    near.accepted_from_us = from_us;
  }
  return near;
}

// The ids of the page, when the next senders tell; nothing when they do not.
absl::StatusOr<std::optional<std::vector<std::string>>> IdsOfPage(db::Connection& connection,
                                                                  const MessageQuery& query,
                                                                  const ListStatement& senders,
                                                                  bool in_order) {
  const absl::flat_hash_set<std::string> clients(query.clients.begin(), query.clients.end());
  const auto limit = static_cast<std::size_t>(query.limit);
  std::vector<std::string> ids;
  std::int64_t looked_at = 0;
  const absl::Status status =
      connection.Query(senders.sql, senders.values, [&](const db::Row& row) {
        ++looked_at;
        if (clients.contains(row.String(1))) ids.push_back(row.String(0));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  const bool complete = looked_at < SendersLookedAt(query);
  if (!complete && (ids.size() < limit || !in_order)) return std::nullopt;
  std::sort(ids.begin(), ids.end());
  if (!query.after.has_value()) std::reverse(ids.begin(), ids.end());
  ids.resize(std::min(ids.size(), limit));
  return ids;
}

// False when the next senders do not tell.
absl::StatusOr<bool> SelectBySenders(db::Connection& connection, const MessageQuery& query,
                                     std::vector<StoredMessage>& out) {
  const auto ids = IdsOfPage(connection, query, NextSenders(query), SendersInOrder(query));
  if (!ids.ok()) return ids.status();
  if (!*ids) return false;
  if ((*ids)->empty()) return true;
  const ListStatement rows = RowsStatement(**ids, kDeliveredColumns);
  const absl::Status status = SelectDelivered(connection, rows.sql, rows.values, out);
  if (!status.ok()) return status;
  return true;
}

// The same of `pending`. Its rows leave and change their state: those that did so between the two
// reads would be missing in the page, and another look is taken.
absl::StatusOr<bool> SelectByPendingSenders(db::Connection& connection, const MessageQuery& query,
                                            std::vector<StoredMessage>& out) {
  const auto ids = IdsOfPage(connection, query, NextPendingSenders(query), true);
  if (!ids.ok()) return ids.status();
  if (!*ids) return false;
  if ((*ids)->empty()) return true;
  const ListStatement rows = RowsStatement(**ids, kPendingColumns);
  const absl::Status status = SelectPending(connection, rows.sql, rows.values, out);
  if (!status.ok()) return status;
  const auto is_wanted = [&query](const StoredMessage& stored) {
    return query.states.empty() ||
           std::ranges::find(query.states, stored.message.state()) != query.states.end();
  };
  if (out.size() == (*ids)->size() && std::ranges::all_of(out, is_wanted)) return true;
  out.clear();
  return false;
}

absl::Status SelectPendingPage(db::Connection& connection, const MessageQuery& query,
                               std::vector<StoredMessage>& out) {
  if (AsksPendingSenders(query)) {
    const absl::StatusOr<bool> done = SelectByPendingSenders(connection, query, out);
    if (!done.ok() || *done) return done.status();
  }
  const auto statement = PendingStatement(query);
  if (!statement) return absl::OkStatus();
  return SelectPending(connection, statement->sql, statement->values, out);
}

absl::Status SelectDeliveredPage(db::Connection& connection, const MessageQuery& query,
                                 std::vector<StoredMessage>& out) {
  if (HasSeveralClients(query)) {
    const absl::StatusOr<bool> done = SelectBySenders(connection, query, out);
    if (!done.ok() || *done) return done.status();
  }
  if (const auto near = NextDayOnly(query)) {
    const ListStatement statement = DeliveredStatement(*near);
    absl::Status status = SelectDelivered(connection, statement.sql, statement.values, out);
    if (!status.ok() || out.size() >= static_cast<std::size_t>(query.limit)) return status;
    out.clear();
  }
  const ListStatement statement = DeliveredStatement(query);
  return SelectDelivered(connection, statement.sql, statement.values, out);
}

}  // namespace

absl::StatusOr<std::optional<StoredMessage>> FindMessage(db::Connection& connection, const Uuid& id,
                                                         const std::string& client_id) {
  Condition condition;
  condition.Add("id = ?", std::string(id.bytes()));
  condition.AddUnlessEmpty("client_id = ?", client_id);
  std::vector<StoredMessage> found;
  // In the order in which rows move: what leaves `pending` after the first read is found by the
  // second.
  absl::Status status = SelectPending(connection, StrCat(kPendingColumns, condition.sql()),
                                      condition.values(), found);
  if (!status.ok()) return status;
  status = SelectDelivered(connection, StrCat(kDeliveredColumns, condition.sql()),
                           condition.values(), found);
  if (!status.ok()) return status;
  if (found.empty()) return std::optional<StoredMessage>();
  return std::optional<StoredMessage>(std::move(found.back()));
}

absl::StatusOr<std::vector<StoredMessage>> ListMessages(db::Connection& connection,
                                                        const MessageQuery& query) {
  // In the order in which rows move, as for FindMessage.
  std::vector<StoredMessage> pending;
  std::vector<StoredMessage> merged;
  if (absl::Status s = SelectPendingPage(connection, query, pending); !s.ok()) return s;
  if (WantsDelivered(query)) {
    absl::Status status = SelectDeliveredPage(connection, query, merged);
    if (!status.ok()) return status;
  }
  Merge(std::move(pending), merged);
  if (merged.size() > static_cast<std::size_t>(query.limit)) {
    // The far end of the page goes.
    if (query.after.has_value()) {
      merged.erase(merged.begin(), merged.end() - query.limit);
    } else {
      merged.erase(merged.begin() + query.limit, merged.end());
    }
  }
  return merged;
}

}  // namespace postern::messages
