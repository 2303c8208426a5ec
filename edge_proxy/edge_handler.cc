#include "edge_proxy/edge_handler.h"

#include <algorithm>
#include <utility>

#include "edge_proxy/limits.h"
#include "edge_proxy/message_request.h"
#include "edge_proxy/status_view.h"
#include "edge_proxy/trace_context.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/rpc/async_unary.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;

http::Response Answer(ProblemCode code, std::string detail, const std::string& request_id,
                      std::int64_t retry_after_s = kRetryAfterSeconds) {
  Problem problem;
  problem.code = code;
  problem.detail = std::move(detail);
  const int status = TypeOf(code).status;
  if (status == 503 || status == 429) problem.retry_after_s = retry_after_s;
  return ProblemResponse(problem, request_id);
}

// Milliseconds with three digits behind the point.
std::string Millis(std::int64_t micros) {
  constexpr std::int64_t kMicrosPerMilli = 1000;
  // A clock that was set back meanwhile.
  micros = std::max<std::int64_t>(0, micros);
  const std::string fraction = std::to_string(micros % kMicrosPerMilli);
  return StrCat(micros / kMicrosPerMilli, ".", std::string(3 - fraction.size(), '0'), fraction);
}

// W3C Server Timing: from the last byte of the request until it was found good, and until its
// message was on disk.
std::string ServerTiming(std::int64_t check_us, std::int64_t enqueue_us) {
  return StrCat("check;dur=", Millis(check_us), ", enqueue;dur=", Millis(enqueue_us));
}

http::Response RateLimited(const RateLimit& limit, const RateState& state,
                           const std::string& request_id) {
  Problem problem;
  problem.code = ProblemCode::kRateLimited;
  problem.detail = StrCat("The limit is ", limit.per_second, " messages a second, ",
                          limit.at_once(), " at once. This one was not accepted.");
  problem.retry_after_s = state.retry_after_s;
  http::Response response = ProblemResponse(problem, request_id);
  AddRateFields(limit, state, response);
  return response;
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
  response.fields.reserve(5);
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

std::string TraceOf(const http::Request& request, const Uuid& request_id, const Uuid& message_id) {
  const std::optional<std::string_view> given = request.Field("traceparent");
  if (given.has_value() && IsValidTraceparent(*given)) return std::string(*given);
  return MakeTraceparent(request_id, message_id);
}

}  // namespace

EdgeHandler::EdgeHandler(HandlerParts parts)
    : parts_(std::move(parts)),
      directory_(*parts_.directory),
      sealer_(*parts_.keys),
      metrics_(*parts_.metrics) {}

asio::awaitable<http::Response> EdgeHandler::Handle(http::Request request) {
  Context context;
  context.request_uuid = ids_.Next(request.received_at_us);
  context.request_id = context.request_uuid.ToString();
  const RouteMatch match = MatchRoute(request.method, request.path);
  http::Response response = co_await Dispatch(request, match, context);
  Account(match.route, request, context, response.status);
  co_return response;
}

EdgeHandler::Awaitable EdgeHandler::Dispatch(http::Request& request, const RouteMatch& match,
                                             Context& context) {
  switch (match.route) {
    case Route::kPostMessage:
      return PostMessage(request, context);
    case Route::kGetMessage:
      return GetMessage(request, match.parameter, context);
    default:
      return Immediate(match, context);
  }
}

EdgeHandler::Awaitable EdgeHandler::Immediate(const RouteMatch& match, const Context& context) {
  http::Response response;
  if (match.route == Route::kNotFound) {
    response = Answer(ProblemCode::kNotFound, "No resource has this path.", context.request_id);
  } else if (match.route == Route::kNotAllowed) {
    response = Answer(ProblemCode::kMethodNotAllowed, "Allow lists the methods of this path.",
                      context.request_id);
    response.fields.emplace_back("Allow", match.allow);
  } else {
    response = HealthAnswer(match.route);
    response.fields.emplace_back("Request-Id", context.request_id);
  }
  co_return response;
}

http::Response EdgeHandler::HealthAnswer(Route route) const {
  http::Response response;
  response.fields.emplace_back("Cache-Control", "no-store");
  if (route == Route::kLivez) {
    response.body = R"({"status":"pass"})";
    return response;
  }
  const std::vector<http::Check> checks = parts_.checks();
  if (http::AnyFailed(checks)) response.status = 503;
  response.body = http::ChecksJson(checks);
  return response;
}

http::Response EdgeHandler::Refuse(int status, std::string_view detail) {
  const std::int64_t now_us = NowMicros();
  Context context;
  context.request_uuid = ids_.Next(now_us);
  context.request_id = context.request_uuid.ToString();
  http::Response response = Answer(CodeOfRefusal(status), std::string(detail), context.request_id);
  response.status = status;
  http::Request unknown;
  unknown.received_at_us = now_us;
  Account(Route::kRefused, unknown, context, status);
  return response;
}

const ClientRecord* EdgeHandler::SenderOf(const http::Request& request) {
  if (request.peer == nullptr) return nullptr;
  const ClientRecord* const client = directory_.Get().Find(request.peer->sha256_hex);
  return client != nullptr && client->client_id == request.peer->id.name ? client : nullptr;
}

http::Response EdgeHandler::Forbid(const ClientRecord* client, const Context& context) const {
  http::Response response =
      client == nullptr
          ? Answer(ProblemCode::kCertificateNotRegistered,
                   "Ask the operator to register the certificate's SHA-256 fingerprint.",
                   context.request_id)
          : Answer(ProblemCode::kClientSuspended, "Ask the operator to resume the client.",
                   context.request_id);
  response.close = true;
  return response;
}

EdgeHandler::Awaitable EdgeHandler::PostMessage(http::Request& request, Context& context) {
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(client, context);
  const RateLimit limit = client->limit;
  const RateState rate = client->meter->Take(limit, request.received_at_us);
  if (!rate.allowed) co_return RateLimited(limit, rate, context.request_id);
  if (!IsJsonMediaType(request.Field("content-type").value_or(""))) {
    co_return Answer(ProblemCode::kUnsupportedMediaType,
                     "Content-Type must be application/json, charset utf-8 if any.",
                     context.request_id);
  }
  ParsedMessage parsed = ParseMessageRequest(request.body, client->client_id);
  if (parsed.problem.has_value()) co_return ProblemResponse(*parsed.problem, context.request_id);

  const std::int64_t accepted_at_us = NowMicros();
  const Uuid id = ids_.Next(accepted_at_us);
  absl::StatusOr<std::string> envelope =
      sealer_.Seal(id, *client, std::move(parsed.request), accepted_at_us,
                   TraceOf(request, context.request_uuid, id));
  if (!envelope.ok()) {
    co_return Answer(ProblemCode::kNotReady, "The edge has no data key to encrypt with.",
                     context.request_id);
  }
  const absl::Status queued =
      co_await parts_.enqueuer->Append(client->shard, id, *std::move(envelope));
  if (!queued.ok()) {
    co_return Answer(ProblemCode::kQueueUnavailable,
                     "The message was not acknowledged as durable. Send it again.",
                     context.request_id, parts_.enqueuer->RetryAfterSeconds());
  }
  context.message_id = id.ToString();
  http::Response response = Accepted(context.message_id, accepted_at_us, context.request_id);
  AddRateFields(limit, rate, response);
  response.fields.emplace_back(
      "Server-Timing",
      ServerTiming(accepted_at_us - request.received_at_us, NowMicros() - accepted_at_us));
  co_return response;
}

EdgeHandler::Awaitable EdgeHandler::GetMessage(const http::Request& request, std::string_view id,
                                               const Context& context) {
  static constexpr const char* kNoMessage = "You have no message with this id.";
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(client, context);
  const std::string client_id = client->client_id;
  const absl::StatusOr<Uuid> uuid = Uuid::Parse(id);
  if (!uuid.ok()) co_return Answer(ProblemCode::kNotFound, kNoMessage, context.request_id);
  const std::optional<v1::Envelope> buffered = parts_.registrar->Find(*uuid);
  if (buffered.has_value() && buffered->client_id() == client_id) {
    co_return StatusAnswer(ViewOf(*buffered), context.request_id);
  }
  v1::GetMessageRequest query;
  query.set_id(uuid->ToString());
  query.set_client_id(client_id);
  const absl::StatusOr<v1::GetMessageResponse> found = co_await rpc::Call(
      parts_.messages->async(), &v1::MessageService::StubInterface::async_interface::GetMessage,
      query, Deadline::After(kGetMessageDeadline));
  if (absl::IsNotFound(found.status())) {
    co_return Answer(ProblemCode::kNotFound, kNoMessage, context.request_id);
  }
  if (!found.ok()) {
    static log::RateLimit limit(/*interval_ms=*/10'000);
    if (limit.Allow()) log::Warn("message_not_looked_up", "reason", found.status().ToString());
    co_return Answer(ProblemCode::kRegisterUnavailable, "The main server cannot be asked now.",
                     context.request_id);
  }
  co_return StatusAnswer(ViewOf(found->message(), NowMicros()), context.request_id);
}

void EdgeHandler::Account(Route route, const http::Request& request, const Context& context,
                          int status) {
  const std::int64_t now_us = NowMicros();
  const std::int64_t duration_us = now_us - request.received_at_us;
  constexpr double kMicrosPerSecond = 1e6;
  metrics_.Count(route, status, static_cast<double>(duration_us) / kMicrosPerSecond);
  if (!access_log_.Wants(status, now_us)) return;
  AccessLine line;
  line.request_id = context.request_id;
  line.route = RouteLabel(route);
  if (request.peer != nullptr) line.client = request.peer->id.name;
  line.message_id = context.message_id;
  line.status = status;
  line.duration_us = duration_us;
  access_log_.Write(line);
}

}  // namespace postern::edge
