#include "services/messages/message_repository.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/common/base/strings.h"
#include "services/messages/condition.h"
#include "services/messages/limits.h"
#include "services/messages/write_items.h"

namespace postern::messages {
namespace {

constexpr char kDeliveredColumns[] =
    "SELECT id, client_id, domain, client_ref, number_masked, epoch, attempts, reason,"
    " accepted_at_us, durable_at_us, registered_at_us, delivered_at_us, metadata_json, traceparent,"
    " data_key_id, encrypted_body, encrypted_number FROM messages";
constexpr char kPendingColumns[] =
    "SELECT id, client_id, domain, client_ref, number_masked, epoch, attempts, reason,"
    " accepted_at_us, durable_at_us, registered_at_us, state, next_attempt_at_us, envelope,"
    " last_error FROM pending";

v1::MessageState StateOf(std::int64_t row_state) {
  switch (static_cast<RowState>(row_state)) {
    case RowState::kRetrying:
      return v1::MESSAGE_STATE_RETRYING;
    case RowState::kDead:
      return v1::MESSAGE_STATE_DEAD;
    default:
      return v1::MESSAGE_STATE_QUEUED;
  }
}

// The columns that both tables begin with.
absl::StatusOr<StoredMessage> ReadCommon(const db::Row& row) {
  absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
  if (!id.ok()) return id.status();
  StoredMessage stored;
  v1::Message& message = stored.message;
  message.set_id(id->ToString());
  message.set_client_id(row.String(1));
  message.set_domain(row.String(2));
  if (!row.IsNull(3)) message.set_client_ref(row.String(3));
  message.set_sender_number(row.String(4));
  message.set_epoch(static_cast<std::uint32_t>(row.Int(5)));
  message.set_attempts(static_cast<std::uint32_t>(row.Int(6)));
  message.set_reason(row.String(7));
  message.set_accepted_at_us(row.Int(8));
  message.set_durable_at_us(row.Int(9));
  message.set_registered_at_us(row.Int(10));
  stored.ciphertext.message_id = *id;
  stored.ciphertext.client_id = message.client_id();
  return stored;
}

absl::StatusOr<StoredMessage> ReadDelivered(const db::Row& row) {
  absl::StatusOr<StoredMessage> stored = ReadCommon(row);
  if (!stored.ok()) return stored;
  absl::StatusOr<Uuid> data_key_id = Uuid::FromBytes(row.String(14));
  if (!data_key_id.ok()) return data_key_id.status();
  v1::Message& message = stored->message;
  message.set_state(v1::MESSAGE_STATE_DELIVERED);
  message.set_delivered_at_us(row.Int(11));
  message.set_metadata_json(row.String(12));
  message.set_traceparent(row.String(13));
  stored->ciphertext.data_key_id = *data_key_id;
  stored->ciphertext.encrypted_body = row.String(15);
  stored->ciphertext.encrypted_number = row.String(16);
  return stored;
}

absl::StatusOr<StoredMessage> ReadPending(const db::Row& row) {
  absl::StatusOr<StoredMessage> stored = ReadCommon(row);
  if (!stored.ok()) return stored;
  v1::Message& message = stored->message;
  message.set_state(StateOf(row.Int(11)));
  if (message.state() == v1::MESSAGE_STATE_RETRYING) message.set_next_attempt_at_us(row.Int(12));
  message.set_last_error(row.String(14));
  // A dead letter may hold an entry that is no envelope: then there is nothing more to say about
  // it.
  v1::Envelope envelope;
  if (!envelope.ParseFromString(row.String(13))) return stored;
  message.set_metadata_json(envelope.metadata_json());
  message.set_traceparent(envelope.traceparent());
  const absl::StatusOr<Uuid> data_key_id = Uuid::FromBytes(envelope.data_key_id());
  if (data_key_id.ok()) stored->ciphertext.data_key_id = *data_key_id;
  stored->ciphertext.encrypted_body = envelope.encrypted_body();
  stored->ciphertext.encrypted_number = envelope.encrypted_number();
  stored->ciphertext.wrapped_data_key = envelope.wrapped_data_key();
  return stored;
}

template <typename Read>
absl::Status Select(db::Connection& connection, const std::string& sql,
                    const std::vector<db::Value>& values, const Read& read,
                    std::vector<StoredMessage>& out) {
  return connection.Query(sql, values, [&](const db::Row& row) {
    absl::StatusOr<StoredMessage> stored = read(row);
    if (!stored.ok()) return stored.status();
    out.push_back(*std::move(stored));
    return absl::OkStatus();
  });
}

// What every row has to meet, but for its client. Times are those in the ids: a bound on another
// column would have to look at rows that it does not want.
void AddCommon(const MessageQuery& query, Condition& condition) {
  if (query.before.has_value()) condition.Add("id < ?", std::string(query.before->bytes()));
  if (query.after.has_value()) condition.Add("id > ?", std::string(query.after->bytes()));
  condition.AddUnlessEmpty("client_ref = ?", query.client_ref);
  condition.AddUnlessEmpty("number_hash = ?", query.number_hash);
  if (query.accepted_from_us > 0) condition.Add("id >= ?", FirstIdAt(query.accepted_from_us));
  if (query.accepted_until_us > 0) condition.Add("id < ?", FirstIdAt(query.accepted_until_us));
}

// `state IN (…)` for the rows of `pending`; false when no state of that table is asked for.
bool PendingStates(const MessageQuery& query, std::string& text) {
  if (query.states.empty()) return true;
  const auto wants = [&query](v1::MessageState state) {
    return std::find(query.states.begin(), query.states.end(), state) != query.states.end();
  };
  std::string states;
  const auto add = [&states](RowState state) {
    StrAppend(&states, states.empty() ? "" : ",", static_cast<int>(state));
  };
  if (wants(v1::MESSAGE_STATE_QUEUED)) add(RowState::kQueued);
  if (wants(v1::MESSAGE_STATE_RETRYING)) add(RowState::kRetrying);
  if (wants(v1::MESSAGE_STATE_DEAD)) add(RowState::kDead);
  if (states.empty()) return false;
  text = StrCat("state IN (", states, ")");
  return true;
}

bool WantsDelivered(const MessageQuery& query) {
  if (!query.reason.empty()) return false;
  return query.states.empty() || std::find(query.states.begin(), query.states.end(),
                                           v1::MESSAGE_STATE_DELIVERED) != query.states.end();
}

// One of the two tables: its columns, and how to pick ids of one client from it.
struct Table {
  const char* columns;
  const char* ids;
};
constexpr Table kPendingTable = {kPendingColumns, "(SELECT id FROM pending"};
constexpr Table kMessagesTable = {kDeliveredColumns, "(SELECT id FROM messages"};

// What only rows of `pending` have to meet.
struct PendingFilter {
  std::string states;
  std::string reason;
};

void AddPendingFilter(const PendingFilter& filter, Condition& condition) {
  if (!filter.states.empty()) condition.Add(filter.states);
  condition.AddUnlessEmpty("reason = ?", filter.reason);
}

// Whether an index on something else than the client leads to the rows.
bool IsNarrow(const MessageQuery& query) {
  return !query.client_ref.empty() || !query.number_hash.empty();
}

// `client_id IN (?,…)`, filled up so that there are few different statements.
void AddClients(const std::vector<std::string>& clients, Condition& condition) {
  const std::size_t places = std::bit_ceil(clients.size());
  condition.Add(StrCat("client_id IN ", db::Placeholders(1, places)));
  for (std::size_t i = 0; i < places; ++i) {
    condition.AddValue(i < clients.size() ? clients[i] : std::string());
  }
}

// The rows of the page, from the end that `query` begins at. For several clients the ids come from
// a page of each client's own, by the client's index: one look over all clients would read every
// row of others between them.
ListStatement Statement(const MessageQuery& query, const Table& table,
                        const PendingFilter& filter) {
  const char* const order =
      query.after.has_value() ? " ORDER BY id ASC LIMIT ?" : " ORDER BY id DESC LIMIT ?";
  auto condition = std::make_shared<Condition>();
  const bool several = query.client_id.empty() && query.clients.size() > 1 && !IsNarrow(query);
  ListStatement statement;
  if (!several) {
    AddCommon(query, *condition);
    AddPendingFilter(filter, *condition);
    condition->AddUnlessEmpty("client_id = ?", query.client_id);
    if (query.client_id.empty() && !query.clients.empty()) AddClients(query.clients, *condition);
    condition->AddValue(query.limit);
    statement.sql = StrCat(table.columns, condition->sql(), order);
  } else {
    std::string ids;
    const std::size_t places = std::bit_ceil(query.clients.size());
    for (std::size_t i = 0; i < places; ++i) {
      Condition of_one;
      AddCommon(query, of_one);
      AddPendingFilter(filter, of_one);
      of_one.Add("client_id = ?", i < query.clients.size() ? query.clients[i] : std::string());
      of_one.AddValue(query.limit);
      StrAppend(&ids, i == 0 ? "" : " UNION ALL ", table.ids, of_one.sql(), order, ")");
      condition->AddValuesOf(of_one);
    }
    condition->AddValue(query.limit);
    condition->AddValue(query.limit);
    statement.sql = StrCat(table.columns, " JOIN (SELECT id AS page_id FROM (", ids, ") AS found",
                           order, ") AS page ON id = page_id", order);
  }
  statement.values = condition->values();
  statement.condition = std::move(condition);
  return statement;
}

// Nothing when no state of `pending` is asked for.
std::optional<ListStatement> PendingStatement(const MessageQuery& query) {
  PendingFilter filter;
  if (!PendingStates(query, filter.states)) return std::nullopt;
  filter.reason = query.reason;
  return Statement(query, kPendingTable, filter);
}

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

}  // namespace

std::string FirstIdAt(std::int64_t micros) {
  const std::int64_t millis = std::max<std::int64_t>(micros / 1000, 0);
  std::string bytes(Uuid::kSize, '\0');
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<char>(millis >> (8 * (5 - i)));
  return bytes;
}

absl::StatusOr<std::optional<StoredMessage>> FindMessage(db::Connection& connection, const Uuid& id,
                                                         const std::string& client_id) {
  Condition condition;
  condition.Add("id = ?", std::string(id.bytes()));
  condition.AddUnlessEmpty("client_id = ?", client_id);
  std::vector<StoredMessage> found;
  // In the order in which rows move: what leaves `pending` after the first read is found by the
  // second.
  absl::Status status = Select(connection, StrCat(kPendingColumns, condition.sql()),
                               condition.values(), ReadPending, found);
  if (!status.ok()) return status;
  status = Select(connection, StrCat(kDeliveredColumns, condition.sql()), condition.values(),
                  ReadDelivered, found);
  if (!status.ok()) return status;
  if (found.empty()) return std::optional<StoredMessage>();
  return std::optional<StoredMessage>(std::move(found.back()));
}

std::vector<ListStatement> ListStatements(const MessageQuery& query) {
  std::vector<ListStatement> statements;
  if (auto of_pending = PendingStatement(query)) statements.push_back(*std::move(of_pending));
  if (WantsDelivered(query)) statements.push_back(Statement(query, kMessagesTable, {}));
  return statements;
}

absl::StatusOr<std::vector<StoredMessage>> ListMessages(db::Connection& connection,
                                                        const MessageQuery& query) {
  // In the order in which rows move, as for FindMessage.
  std::vector<StoredMessage> pending;
  std::vector<StoredMessage> merged;
  if (const auto statement = PendingStatement(query)) {
    absl::Status status =
        Select(connection, statement->sql, statement->values, ReadPending, pending);
    if (!status.ok()) return status;
  }
  if (WantsDelivered(query)) {
    const ListStatement statement = Statement(query, kMessagesTable, {});
    absl::Status status =
        Select(connection, statement.sql, statement.values, ReadDelivered, merged);
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
