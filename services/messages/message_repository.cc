#include "services/messages/message_repository.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
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
    " last_error, last_attempt_at_us FROM pending";

constexpr char kSenders[] = "SELECT id, client_id FROM messages";
constexpr char kByIds[] = " WHERE id IN ";
// Messages whose senders are looked at, for each message of a page.
constexpr std::int64_t kSendersPerRow = 40;
constexpr std::int64_t kNearMicros = std::int64_t{86'400} * 1'000'000;

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
  message.set_last_attempt_at_us(row.Int(15));
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

// One of the two tables: its columns, how to pick ids from it, and the index by which it is read
// where nothing but the client leads to the rows. Indexes are named: in the optimizer's eyes going
// through millions of rows in the order of the ids may look cheaper.
struct Table {
  const char* columns;
  const char* ids;
  const char* by_client;
};
constexpr Table kPendingTable = {kPendingColumns, "(SELECT id FROM pending", ""};
constexpr Table kMessagesTable = {kDeliveredColumns, "(SELECT id FROM messages",
                                  " FORCE INDEX (client)"};

// What only rows of `pending` have to meet.
struct PendingFilter {
  std::string states;
  std::string reason;
};

void AddPendingFilter(const PendingFilter& filter, Condition& condition) {
  if (!filter.states.empty()) condition.Add(filter.states);
  condition.AddUnlessEmpty("reason = ?", filter.reason);
}

// The index that leads to the rows better than the client, if there is one.
const char* Narrow(const MessageQuery& query) {
  if (!query.number_hash.empty()) return " FORCE INDEX (number)";
  if (!query.client_ref.empty()) return " FORCE INDEX (ref)";
  return nullptr;
}

// The rows of the page, from the end that `query` begins at. Where an index leads to them the ids
// come first, from the index alone, so that no row of a partition is read in vain; and for several
// clients a page of each one's own: one look over all clients would read every row of others
// between them. What fills up stands for nobody, so that there are few different statements.
ListStatement Statement(const MessageQuery& query, const Table& table,
                        const PendingFilter& filter) {
  const char* const order =
      query.after.has_value() ? " ORDER BY id ASC LIMIT ?" : " ORDER BY id DESC LIMIT ?";
  const char* const narrow = Narrow(query);
  auto condition = std::make_shared<Condition>();
  std::vector<std::string> clients = query.clients;
  if (!query.client_id.empty()) clients = {query.client_id};
  clients.resize(std::bit_ceil(clients.size()));
  const bool any_client = clients.size() == 1 && clients.front().empty();
  const char* const index = narrow != nullptr ? narrow : any_client ? "" : table.by_client;
  const auto add = [&](Condition& to, const std::string& client) {
    AddCommon(query, to);
    AddPendingFilter(filter, to);
    if (!any_client) to.Add("client_id = ?", client);
    to.AddValue(query.limit);
  };
  ListStatement statement;
  if (*index == '\0' && clients.size() == 1) {
    add(*condition, clients.front());
    statement.sql = StrCat(table.columns, index, condition->sql(), order);
  } else {
    std::string ids;
    for (const std::string& client : clients) {
      Condition of_one;
      add(of_one, client);
      StrAppend(&ids, ids.empty() ? "" : " UNION ALL ", table.ids, index, of_one.sql(), order, ")");
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

// What leads to the rows by an index is asked in every partition. There a page is looked for in the
// day next to where it begins first; nothing where that would not help.
std::optional<MessageQuery> NextDayOnly(const MessageQuery& query) {
  if (query.client_id.empty() && query.clients.empty() && Narrow(query) == nullptr) {
    return std::nullopt;
  }
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

// For several clients: who sent the next messages, of the number or reference where one is asked
// for. Those of a user's clients among them mostly fill a page, or there are no more.
ListStatement NextSenders(const MessageQuery& query) {
  const char* const narrow = Narrow(query);
  auto condition = std::make_shared<Condition>();
  AddCommon(query, *condition);
  condition->AddValue(std::int64_t{query.limit} * kSendersPerRow);
  ListStatement statement;
  statement.sql =
      StrCat(kSenders, narrow == nullptr ? "" : narrow, condition->sql(),
             query.after.has_value() ? " ORDER BY id ASC LIMIT ?" : " ORDER BY id DESC LIMIT ?");
  statement.values = condition->values();
  statement.condition = std::move(condition);
  return statement;
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
    if (ids.size() < limit && clients.contains(row.String(1))) ids.push_back(row.String(0));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  const bool complete = looked_at < std::int64_t{query.limit} * kSendersPerRow;
  if (ids.size() < limit && !complete) return false;
  if (ids.empty()) return true;
  std::vector<db::Value> values;
  const std::size_t places = std::bit_ceil(ids.size());
  for (std::size_t i = 0; i < places; ++i) {
    values.emplace_back(std::string_view(ids[std::min(i, ids.size() - 1)]));
  }
  const std::string sql = StrCat(kDeliveredColumns, kByIds, db::Placeholders(1, places));
  status = Select(connection, sql, values, ReadDelivered, out);
  if (!status.ok()) return status;
  return true;
}

absl::Status SelectDelivered(db::Connection& connection, const MessageQuery& query,
                             std::vector<StoredMessage>& out) {
  if (query.client_id.empty() && query.clients.size() > 1) {
    const absl::StatusOr<bool> done = SelectBySenders(connection, query, out);
    if (!done.ok() || *done) return done.status();
  }
  if (const auto near = NextDayOnly(query)) {
    const ListStatement statement = Statement(*near, kMessagesTable, {});
    absl::Status status = Select(connection, statement.sql, statement.values, ReadDelivered, out);
    if (!status.ok() || out.size() >= static_cast<std::size_t>(query.limit)) return status;
    out.clear();
  }
  const ListStatement statement = Statement(query, kMessagesTable, {});
  return Select(connection, statement.sql, statement.values, ReadDelivered, out);
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
  if (!WantsDelivered(query)) return statements;
  if (query.client_id.empty() && query.clients.size() > 1) statements.push_back(NextSenders(query));
  statements.push_back(Statement(query, kMessagesTable, {}));
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
    absl::Status status = SelectDelivered(connection, query, merged);
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
