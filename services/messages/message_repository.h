#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/messages/list_statements.h"
#include "services/messages/message_rows.h"

namespace postern::messages {

// Reads of the two tables as one. A message that is in both for a moment is a delivered one. Errors
// are the connection's.
absl::StatusOr<std::optional<StoredMessage>> FindMessage(db::Connection& connection, const Uuid& id,
                                                         const std::string& client_id);
absl::StatusOr<std::vector<StoredMessage>> ListMessages(db::Connection& connection,
                                                        const MessageQuery& query);

}  // namespace postern::messages
