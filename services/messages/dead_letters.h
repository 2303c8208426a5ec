#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/messages/queue_client.h"

namespace postern::messages {

// Which dead letters; every condition that is set has to hold.
struct DeadLetterFilter {
  std::string reason;     // Empty: any.
  std::string client_id;  // Empty: any.
  std::vector<Uuid> ids;  // Empty: any; at most kBatchMax.

  bool empty() const { return reason.empty() && client_id.empty() && ids.empty(); }
};

// Dead letters with one reason.
struct DeadLetterGroup {
  std::string reason;
  std::int64_t count = 0;
  std::int64_t clients = 0;
  std::int64_t first_accepted_at_us = 0;
  std::int64_t last_accepted_at_us = 0;
};

// By reason, most first. The connection's errors.
absl::StatusOr<std::vector<DeadLetterGroup>> SummarizeDeadLetters(db::Connection& connection,
                                                                  const DeadLetterFilter& filter);

// What one part of a re-drive came to.
struct RedrivePart {
  std::int64_t redriven = 0;
  std::int64_t skipped = 0;  // Hold no message: nothing could deliver them.
  Uuid last;                 // Where the next part begins.
  bool end = false;
};

// Brings dead letters back: at most `limit` of those behind the id `after`. Each starts its next
// epoch in the register first and gets its entry in the queue then; when that fails, the reconciler
// makes it. Done by two at a time, each message comes back once. `actor`, for the audit log: who
// asked.
absl::StatusOr<RedrivePart> RedriveDeadLetters(db::Connection& connection, QueueClient& queue,
                                               const DeadLetterFilter& filter, const Uuid& after,
                                               int limit, const std::string& actor);

}  // namespace postern::messages
