#include "services/messages/message_rows.h"

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/messages/write_items.h"

namespace postern::messages {
namespace {

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

}  // namespace

absl::Status SelectDelivered(db::Connection& connection, const std::string& sql,
                             const std::vector<db::Value>& values,
                             std::vector<StoredMessage>& out) {
  return Select(connection, sql, values, ReadDelivered, out);
}

absl::Status SelectPending(db::Connection& connection, const std::string& sql,
                           const std::vector<db::Value>& values, std::vector<StoredMessage>& out) {
  return Select(connection, sql, values, ReadPending, out);
}

}  // namespace postern::messages
