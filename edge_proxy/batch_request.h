#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "edge_proxy/message_request.h"
#include "edge_proxy/problem.h"

namespace postern::edge {

// Either messages, of which each may have its own problem, or the problem of the whole (400
// malformed-json or 422 validation-failed).
struct ParsedBatch {
  std::vector<ParsedMessage> messages;
  std::optional<Problem> problem;
};

// Reads the body of `POST /api/v1/messages:batch`: `{"messages": [ … ]}` with 1 to
// kBatchMessagesMax messages, each as in ParseMessageRequest and with an optional
// `idempotency_key`. Pointers in problems are those of the whole document.
ParsedBatch ParseBatchRequest(std::string_view body, std::string_view client_id);

}  // namespace postern::edge
