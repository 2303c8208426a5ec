#include "services/messages/message_repository.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

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

// False when the next senders do not tell.
absl::StatusOr<bool> SelectBySenders(db::Connection& connection, const MessageQuery& query,
                                     std::vector<StoredMessage>& out) {
  const absl::flat_hash_set<std::string> clients(query.clients.begin(), query.clients.end());
  const auto limit = static_cast<std::size_t>(query.limit);
  std::vector<std::string> ids;
  std::int64_t looked_at = 0;
  const ListStatement senders = NextSenders(query);
  absl::Status status = connection.Query(senders.sql, senders.values, [&](const db::Row& row) {
    ++looked_at;
    if (clients.contains(row.String(1))) ids.push_back(row.String(0));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  const bool complete = looked_at < SendersLookedAt(query);
  if (!complete && (ids.size() < limit || !SendersInOrder(query))) return false;
  if (ids.empty()) return true;
  std::sort(ids.begin(), ids.end());
  if (!query.after.has_value()) std::reverse(ids.begin(), ids.end());
  ids.resize(std::min(ids.size(), limit));
  std::vector<db::Value> values;
  const std::size_t places = std::bit_ceil(ids.size());
  for (std::size_t i = 0; i < places; ++i) {
    values.emplace_back(std::string_view(ids[std::min(i, ids.size() - 1)]));
  }
  const std::string sql = StrCat(kDeliveredColumns, " WHERE id IN ", db::Placeholders(1, places));
  status = SelectDelivered(connection, sql, values, out);
  if (!status.ok()) return status;
  return true;
}

absl::Status SelectPage(db::Connection& connection, const MessageQuery& query,
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
  if (const auto statement = PendingStatement(query)) {
    absl::Status status = SelectPending(connection, statement->sql, statement->values, pending);
    if (!status.ok()) return status;
  }
  if (WantsDelivered(query)) {
    absl::Status status = SelectPage(connection, query, merged);
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
