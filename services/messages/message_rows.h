#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "postern/v1/message_service.pb.h"
#include "services/common/db/connection.h"
#include "services/messages/envelope_reader.h"

namespace postern::messages {

// A message as the register holds it: everything but its plaintext, and the ciphertext to get at
// that.
struct StoredMessage {
  v1::Message message;
  StoredCiphertext ciphertext;
};

// What a statement that reads messages begins with, up to its conditions.
inline constexpr char kDeliveredColumns[] =
    "SELECT id, client_id, domain, client_ref, number_masked, epoch, attempts, "
    "reason,"
    " accepted_at_us, durable_at_us, registered_at_us, delivered_at_us, "
    "metadata_json, traceparent,"
    " data_key_id, encrypted_body, encrypted_number FROM messages";
inline constexpr char kPendingColumns[] =
    "SELECT id, client_id, domain, client_ref, number_masked, epoch, attempts, "
    "reason,"
    " accepted_at_us, durable_at_us, registered_at_us, state, "
    "next_attempt_at_us, envelope,"
    " last_error, last_attempt_at_us FROM pending";

// Append to `out` what a statement that begins with kDeliveredColumns, or kPendingColumns, finds.
// Errors are the connection's, and those of ids that are none.
absl::Status SelectDelivered(db::Connection& connection, const std::string& sql,
                             const std::vector<db::Value>& values, std::vector<StoredMessage>& out);
absl::Status SelectPending(db::Connection& connection, const std::string& sql,
                           const std::vector<db::Value>& values, std::vector<StoredMessage>& out);

}  // namespace postern::messages
