#pragma once

#include <cstdint>
#include <string>

#include "edge_proxy/limits.h"
#include "edge_proxy/problem.h"
#include "edge_proxy/rate_limit.h"
#include "edge_proxy/status_view.h"
#include "services/common/http/message.h"

namespace postern::edge {

// The answers that more than one route gives. `request_id`: the value of `Request-Id`.

// A problem; `retry_after_s` goes out with 429 and 503 only.
http::Response Answer(ProblemCode code, std::string detail, const std::string& request_id,
                      std::int64_t retry_after_s = kRetryAfterSeconds);

// 429 for a client that sends more than `limit`.
Problem RateLimitedProblem(const RateLimit& limit, const RateState& state);

// 202 with `Location` for a message that is on disk.
http::Response Accepted(const std::string& message_id, std::int64_t accepted_at_us,
                        const std::string& request_id);

// 200 with the status of a message.
http::Response StatusAnswer(StatusView view, const std::string& request_id);

// The value of `Server-Timing` (W3C): from the last byte of the request until it was found good,
// and until its message was on disk.
std::string ServerTiming(std::int64_t check_us, std::int64_t enqueue_us);

}  // namespace postern::edge
