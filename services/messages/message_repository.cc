#include "services/messages/message_repository.h"

#include <algorithm>
#include <chrono>
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
    " last_error, last_attempt_at_us FROM pending";

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

void AddCommon(const MessageQuery& query, Condition& condition) {
  constexpr std::int64_t kSlackUs = std::chrono::microseconds(kIdTimeSlack).count();
  if (query.before.has_value()) condition.Add("id < ?", std::string(query.before->bytes()));
  condition.AddUnlessEmpty("client_id = ?", query.client_id);
  condition.AddUnlessEmpty("client_ref = ?", query.client_ref);
  condition.AddUnlessEmpty("reason = ?", query.reason);
  condition.AddUnlessEmpty("number_hash = ?", query.number_hash);
  // The range of ids keeps the look within the time; the times themselves decide.
  if (query.accepted_from_us > 0) {
    condition.Add("id >= ?", FirstIdAt(query.accepted_from_us - kSlackUs));
    condition.Add("accepted_at_us >= ?", query.accepted_from_us);
  }
  if (query.accepted_until_us > 0) {
    condition.Add("id < ?", FirstIdAt(query.accepted_until_us + kSlackUs));
    condition.Add("accepted_at_us < ?", query.accepted_until_us);
  }
}

// `state IN (…)` for the rows of `pending`; false when no state of that table is asked for.
bool AddPendingStates(const MessageQuery& query, Condition& condition) {
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
  condition.Add(StrCat("state IN (", states, ")"));
  return true;
}

bool WantsDelivered(const MessageQuery& query) {
  return query.states.empty() || std::find(query.states.begin(), query.states.end(),
                                           v1::MESSAGE_STATE_DELIVERED) != query.states.end();
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

absl::StatusOr<std::vector<StoredMessage>> ListMessages(db::Connection& connection,
                                                        const MessageQuery& query) {
  constexpr char kOrder[] = " ORDER BY id DESC LIMIT ?";
  std::vector<StoredMessage> pending;
  Condition of_pending;
  AddCommon(query, of_pending);
  if (AddPendingStates(query, of_pending)) {
    of_pending.AddValue(query.limit);
    absl::Status status = Select(connection, StrCat(kPendingColumns, of_pending.sql(), kOrder),
                                 of_pending.values(), ReadPending, pending);
    if (!status.ok()) return status;
  }
  std::vector<StoredMessage> merged;
  if (WantsDelivered(query)) {
    Condition of_messages;
    AddCommon(query, of_messages);
    of_messages.AddValue(query.limit);
    absl::Status status = Select(connection, StrCat(kDeliveredColumns, of_messages.sql(), kOrder),
                                 of_messages.values(), ReadDelivered, merged);
    if (!status.ok()) return status;
  }
  Merge(std::move(pending), merged);
  if (merged.size() > static_cast<std::size_t>(query.limit)) {
    merged.erase(merged.begin() + query.limit, merged.end());
  }
  return merged;
}

}  // namespace postern::messages
