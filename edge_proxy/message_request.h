#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge_proxy/problem.h"

namespace postern::edge {

// A message as a client asks for it, valid in every respect.
struct MessageRequest {
  std::string sender_number;  // E.164 with its plus sign.
  std::string message_body;   // 1 to 1000 code points of UTF-8, no NUL.
  std::string client_ref;     // Empty when not given.
  std::string metadata_json;  // Compact; empty when not given.
  // Of a message in a batch; empty when not given.
  std::string idempotency_key;
};

// Either a request, or the problem that answers it (400 malformed-json or 422 validation-failed).
struct ParsedMessage {
  MessageRequest request;
  std::optional<Problem> problem;
};

// Reads the body of `POST /api/v1/messages`. Strict (docs/api/rest.md): RFC 8259 in valid UTF-8
// without byte order mark, no unknown and no repeated member, no value of another type. All
// violations are found, not just the first; the answer lists up to kViolationsMax of them. No text
// in a problem repeats a value of the request. `client_id`: whose certificate brought the request;
// a metadata member `client_id` must agree.
ParsedMessage ParseMessageRequest(std::string_view body, std::string_view client_id);

// Whether a Content-Type field allows JSON: `application/json`, with no parameter but
// `charset=utf-8`.
bool IsJsonMediaType(std::string_view content_type);

}  // namespace postern::edge
