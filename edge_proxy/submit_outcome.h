#pragma once

#include <cstdint>
#include <optional>

#include "edge_proxy/idempotency.h"
#include "edge_proxy/problem.h"
#include "edge_proxy/rate_limit.h"
#include "edge_proxy/submit_script.h"
#include "services/common/base/uuid.h"

namespace postern::edge {

// What a client hears of one message: accepted, now or before, or the problem.
struct SubmitOutcome {
  Uuid id;
  std::int64_t accepted_at_us = 0;
  bool replayed = false;  // Accepted by an earlier request with the same key.
  std::optional<Problem> problem;
};

// `own`: what was sent along with the message. `queue_retry_s`: when the queue will have room.
SubmitOutcome OutcomeOf(const SubmitResult& result, const IdempotencyRecord& own,
                        const RateLimit& limit, std::int64_t queue_retry_s);

}  // namespace postern::edge
