#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/message_service.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/messages/condition.h"
#include "services/messages/envelope_reader.h"

namespace postern::messages {

// A message as the register holds it: everything but its plaintext, and the ciphertext to get at
// that.
struct StoredMessage {
  v1::Message message;
  StoredCiphertext ciphertext;
};

// Which messages, newest first.
struct MessageQuery {
  std::vector<v1::MessageState> states;  // Empty: any.
  std::string client_id;                 // Empty: any.
  std::string client_ref;                // Empty: any.
  std::string reason;                    // Of what is not delivered; empty: any.
  std::string number_hash;               // NumberFacts::hash; empty: any.
  std::vector<std::string> clients;      // Only of these; empty: any.
  std::int64_t accepted_from_us = 0;     // 0: no bound. By the time in the id.
  std::int64_t accepted_until_us = 0;    // 0: no bound; exclusive.
  std::optional<Uuid> before;            // Only smaller ids: where the page before ended.
  std::optional<Uuid> after;             // Only larger ids, the nearest ones.
  int limit = 0;
};

// The bytes of the smallest UUIDv7 of a time, in microseconds since the Unix epoch.
std::string FirstIdAt(std::int64_t micros);

// Reads of the two tables as one. A message that is in both for a moment is a delivered one. Errors
// are the connection's.
absl::StatusOr<std::optional<StoredMessage>> FindMessage(db::Connection& connection, const Uuid& id,
                                                         const std::string& client_id);
absl::StatusOr<std::vector<StoredMessage>> ListMessages(db::Connection& connection,
                                                        const MessageQuery& query);

// The statements of a list, for a look at their plans.
struct ListStatement {
  std::string sql;
  std::vector<db::Value> values;  // As long as `condition` lives.
  std::shared_ptr<const Condition> condition;
};
std::vector<ListStatement> ListStatements(const MessageQuery& query);

}  // namespace postern::messages
