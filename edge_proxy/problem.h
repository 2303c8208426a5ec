#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/common/base/uuid.h"
#include "services/common/http/message.h"

namespace postern::edge {

// Every error that the edge answers, by its code.
enum class ProblemCode {
  kBadRequest,
  kMalformedJson,
  kInvalidIdempotencyKey,
  kInvalidParameter,
  kInvalidCursor,
  kCertificateNotRegistered,
  kClientSuspended,
  kCertificateRefused,
  kNotFound,
  kMethodNotAllowed,
  kRequestTimeout,
  kLengthRequired,
  kPayloadTooLarge,
  kUnsupportedMediaType,
  kValidationFailed,
  kIdempotencyKeyReused,
  kInvalidCertificateRequest,
  kConcurrencyLimit,
  kRateLimited,
  kQuotaExceeded,
  kIdempotencyKeysExhausted,
  kHeaderTooLarge,
  kInternal,
  kNotImplemented,
  kNotReady,
  kQueueUnavailable,
  kRegisterUnavailable,
  kOverloaded,
  kIdempotencyFull,
};

// What is the same in every answer with one code.
struct ProblemType {
  ProblemCode code;
  std::string_view slug;  // The member `code`, and the last segment of `type`.
  int status;
  std::string_view title;  // One short sentence.
};

// One row for each code, in the order of the enumeration.
std::span<const ProblemType> ProblemTypes();
const ProblemType& TypeOf(ProblemCode code);
// The code for a request that the HTTP server itself refuses with `status`.
ProblemCode CodeOfRefusal(int status);

// One thing that is wrong with a request. Never holds a value that the client sent, only names of
// members.
struct Violation {
  std::string pointer;    // JSON Pointer (RFC 6901); empty is the whole document.
  std::string parameter;  // Of the query, instead of the pointer; empty with an empty pointer where
                          // the parameter is none of ours.
  std::string code;       // `required`, `wrong-type`, …: docs/api/rest.md lists them.
  std::string detail;     // A sentence for people.
};

// What differs from answer to answer.
struct Problem {
  ProblemCode code = ProblemCode::kInternal;
  std::string detail;
  std::vector<Violation> errors;
  // Seconds for `Retry-After`; 0 leaves the field out.
  std::int64_t retry_after_s = 0;
};

// The body of the answer, see ProblemResponse.
std::string ProblemJson(const Problem& problem, const std::string& request_id);

// `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `instance`
// (`urn:uuid:<request id>`), `code`, `request_id`, and `errors` where there are any.
http::Response ProblemResponse(const Problem& problem, const std::string& request_id);

}  // namespace postern::edge
