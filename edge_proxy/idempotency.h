#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/http/message.h"

namespace postern::edge {

// Reads a key as clients write it: a quoted string (draft-ietf-httpapi-idempotency-key-header-07)
// or its bare content, 1 to kIdempotencyKeyBytesMax visible ASCII characters. The same content is
// the same key either way. InvalidArgument with a sentence for the client.
absl::StatusOr<std::string> ParseIdempotencyKey(std::string_view text);

// The key of the field `Idempotency-Key`; nullopt without the field. InvalidArgument as above, or
// when the field occurs more than once.
absl::StatusOr<std::optional<std::string>> IdempotencyKeyOf(const http::Request& request);

// What the queue keeps beside an idempotency key: enough to give the first answer again, byte by
// byte, and to tell another message from the first.
struct IdempotencyRecord {
  Uuid id;  // Of the message.
  std::int64_t accepted_at_us = 0;
  std::string fingerprint;  // Of the message.
};

std::string PackRecord(const IdempotencyRecord& record);
// DataLoss when it is none, or of a version that this edge does not know.
absl::StatusOr<IdempotencyRecord> UnpackRecord(std::string_view packed);

}  // namespace postern::edge
