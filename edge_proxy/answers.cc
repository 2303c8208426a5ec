#include "edge_proxy/answers.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "services/common/base/strings.h"

namespace postern::edge {
namespace {

// Milliseconds with three digits behind the point.
std::string Millis(std::int64_t micros) {
  constexpr std::int64_t kMicrosPerMilli = 1000;
  // A clock that was set back meanwhile.
  micros = std::max<std::int64_t>(0, micros);
  const std::string fraction = std::to_string(micros % kMicrosPerMilli);
  return StrCat(micros / kMicrosPerMilli, ".", std::string(3 - fraction.size(), '0'), fraction);
}

}  // namespace

http::Response Answer(ProblemCode code, std::string detail, const std::string& request_id,
                      std::int64_t retry_after_s) {
  Problem problem;
  problem.code = code;
  problem.detail = std::move(detail);
  const int status = TypeOf(code).status;
  if (status == 503 || status == 429) problem.retry_after_s = retry_after_s;
  return ProblemResponse(problem, request_id);
}

Problem RateLimitedProblem(const RateLimit& limit, const RateState& state) {
  Problem problem;
  problem.code = ProblemCode::kRateLimited;
  problem.detail = StrCat("The limit is ", limit.per_second, " messages a second, ",
                          limit.at_once(), " at once. This one was not accepted.");
  problem.retry_after_s = state.retry_after_s;
  return problem;
}

http::Response Accepted(const std::string& message_id, std::int64_t accepted_at_us,
                        const std::string& request_id) {
  static constexpr std::string_view kPath = "/api/v1/messages/";
  std::string location;
  location.reserve(kPath.size() + message_id.size());
  location.append(kPath).append(message_id);
  http::Response response;
  response.status = 202;
  response.body = AcceptedJson(message_id, accepted_at_us);
  response.fields.reserve(6);
  response.fields.emplace_back("Location", std::move(location));
  response.fields.emplace_back("Request-Id", request_id);
  return response;
}

http::Response StatusAnswer(StatusView view, const std::string& request_id) {
  http::Response response;
  response.body = std::move(view.json);
  response.fields.emplace_back("Request-Id", request_id);
  response.fields.emplace_back("Cache-Control", "no-store");
  if (!view.final) response.fields.emplace_back("Retry-After", std::to_string(view.retry_after_s));
  return response;
}

std::string ServerTiming(std::int64_t check_us, std::int64_t enqueue_us) {
  return StrCat("check;dur=", Millis(check_us), ", enqueue;dur=", Millis(enqueue_us));
}

}  // namespace postern::edge
