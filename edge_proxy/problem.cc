#include "edge_proxy/problem.h"

#include <array>
#include <string>

#include "edge_proxy/json_text.h"

namespace postern::edge {
namespace {

constexpr std::array kTypes{
    ProblemType{ProblemCode::kBadRequest, "bad-request", 400, "The request is not valid HTTP"},
    ProblemType{ProblemCode::kMalformedJson, "malformed-json", 400, "The body is not valid JSON"},
    ProblemType{ProblemCode::kInvalidIdempotencyKey, "invalid-idempotency-key", 400,
                "The idempotency key is not valid"},
    ProblemType{ProblemCode::kInvalidParameter, "invalid-parameter", 400,
                "A parameter of the query is not valid"},
    ProblemType{ProblemCode::kInvalidCursor, "invalid-cursor", 400,
                "The cursor does not belong to this list"},
    ProblemType{ProblemCode::kCertificateNotRegistered, "certificate-not-registered", 403,
                "The client certificate is not registered"},
    ProblemType{ProblemCode::kClientSuspended, "client-suspended", 403, "The client is suspended"},
    ProblemType{ProblemCode::kCertificateRefused, "certificate-refused", 403,
                "The authority does not issue this certificate"},
    ProblemType{ProblemCode::kNotFound, "not-found", 404, "There is nothing here"},
    ProblemType{ProblemCode::kMethodNotAllowed, "method-not-allowed", 405,
                "The method is not allowed here"},
    ProblemType{ProblemCode::kRequestTimeout, "request-timeout", 408,
                "The request did not arrive in time"},
    ProblemType{ProblemCode::kLengthRequired, "length-required", 411,
                "The request needs a Content-Length"},
    ProblemType{ProblemCode::kPayloadTooLarge, "payload-too-large", 413, "The body is too large"},
    ProblemType{ProblemCode::kUnsupportedMediaType, "unsupported-media-type", 415,
                "The body is of another media type than is taken here"},
    ProblemType{ProblemCode::kValidationFailed, "validation-failed", 422,
                "The message breaks one or more rules"},
    ProblemType{ProblemCode::kIdempotencyKeyReused, "idempotency-key-reused", 422,
                "The idempotency key belongs to another message"},
    ProblemType{ProblemCode::kInvalidCertificateRequest, "invalid-certificate-request", 422,
                "The certificate request is not valid"},
    ProblemType{ProblemCode::kConcurrencyLimit, "concurrency-limit", 429,
                "The client has too much open at one time"},
    ProblemType{ProblemCode::kRateLimited, "rate-limited", 429,
                "The client sends more than its limit"},
    ProblemType{ProblemCode::kQuotaExceeded, "quota-exceeded", 429,
                "The client has sent its messages of the day"},
    ProblemType{ProblemCode::kIdempotencyKeysExhausted, "idempotency-keys-exhausted", 429,
                "The client has used as many idempotency keys as are kept"},
    ProblemType{ProblemCode::kHeaderTooLarge, "header-too-large", 431,
                "The request header is too large"},
    ProblemType{ProblemCode::kInternal, "internal", 500, "Something failed inside"},
    ProblemType{ProblemCode::kNotImplemented, "not-implemented", 501,
                "The request uses something that is not supported"},
    ProblemType{ProblemCode::kNotReady, "not-ready", 503, "The edge is not ready yet"},
    ProblemType{ProblemCode::kQueueUnavailable, "queue-unavailable", 503,
                "The queue does not take messages now"},
    ProblemType{ProblemCode::kRegisterUnavailable, "register-unavailable", 503,
                "The message register cannot be asked now"},
    ProblemType{ProblemCode::kOverloaded, "overloaded", 503, "The edge has too much in hand"},
    ProblemType{ProblemCode::kIdempotencyFull, "idempotency-full", 503,
                "There is no memory for more idempotency keys"},
};

void AppendMember(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  AppendJsonString(out, value);
}

void AppendErrors(std::string& out, const std::vector<Violation>& errors) {
  out.append(",\"errors\":[");
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const bool of_query = !errors[i].parameter.empty();
    out.append(i == 0 ? "{\"" : ",{\"").append(of_query ? "parameter" : "pointer").append("\":");
    AppendJsonString(out, of_query ? errors[i].parameter : errors[i].pointer);
    AppendMember(out, "code", errors[i].code);
    AppendMember(out, "detail", errors[i].detail);
    out.push_back('}');
  }
  out.push_back(']');
}

}  // namespace

std::span<const ProblemType> ProblemTypes() { return kTypes; }

const ProblemType& TypeOf(ProblemCode code) { return kTypes[static_cast<std::size_t>(code)]; }

ProblemCode CodeOfRefusal(int status) {
  switch (status) {
    case 408:
      return ProblemCode::kRequestTimeout;
    case 411:
      return ProblemCode::kLengthRequired;
    case 413:
      return ProblemCode::kPayloadTooLarge;
    case 429:
      return ProblemCode::kConcurrencyLimit;
    case 431:
      return ProblemCode::kHeaderTooLarge;
    case 501:
      return ProblemCode::kNotImplemented;
    case 503:
      return ProblemCode::kOverloaded;
    default:
      return status >= 500 ? ProblemCode::kInternal : ProblemCode::kBadRequest;
  }
}

std::string ProblemJson(const Problem& problem, const std::string& request_id) {
  const ProblemType& type = TypeOf(problem.code);
  std::string body;
  body.reserve(384 + problem.errors.size() * 128);
  body.append("{\"type\":\"/problems/").append(type.slug).append("\"");
  AppendMember(body, "title", type.title);
  body.append(",\"status\":").append(std::to_string(type.status));
  if (!problem.detail.empty()) AppendMember(body, "detail", problem.detail);
  body.append(",\"instance\":\"urn:uuid:").append(request_id).append("\"");
  AppendMember(body, "code", type.slug);
  AppendMember(body, "request_id", request_id);
  if (!problem.errors.empty()) AppendErrors(body, problem.errors);
  body.push_back('}');
  return body;
}

http::Response ProblemResponse(const Problem& problem, const std::string& request_id) {
  http::Response response;
  response.status = TypeOf(problem.code).status;
  response.content_type = "application/problem+json";
  response.body = ProblemJson(problem, request_id);
  response.fields.emplace_back("Request-Id", request_id);
  response.fields.emplace_back("Cache-Control", "no-store");
  if (problem.retry_after_s > 0) {
    response.fields.emplace_back("Retry-After", std::to_string(problem.retry_after_s));
  }
  return response;
}

}  // namespace postern::edge
