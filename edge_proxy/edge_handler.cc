#include "edge_proxy/edge_handler.h"

#include <algorithm>
#include <utility>

#include "edge_proxy/answers.h"
#include "services/common/base/time.h"

namespace postern::edge {
namespace asio = boost::asio;

EdgeHandler::EdgeHandler(HandlerParts parts)
    : parts_(std::move(parts)),
      directory_(*parts_.directory),
      intake_(*parts_.keys, *parts_.enqueuer, parts_.key_bounds),
      reads_(*parts_.keys, *parts_.registrar, *parts_.messages),
      certificates_(*parts_.directory, *parts_.certificates),
      metrics_(*parts_.metrics) {}

asio::awaitable<http::Response> EdgeHandler::Handle(http::Request request) {
  RequestContext context;
  context.request_uuid = ids_.Next(request.received_at_us);
  context.request_id = context.request_uuid.ToString();
  const RouteMatch match = MatchRoute(request.method, request.path);
  http::Response response = co_await Dispatch(request, match, context);
  Account(match.route, request, context, response.status);
  co_return response;
}

EdgeHandler::Awaitable EdgeHandler::Dispatch(http::Request& request, const RouteMatch& match,
                                             RequestContext& context) {
  switch (match.route) {
    case Route::kPostMessage:
      return PostMessage(request, context);
    case Route::kPostBatch:
      return PostBatch(request, context);
    case Route::kListMessages:
      return ListMessages(request, context);
    case Route::kGetMessage:
      return GetMessage(request, match.parameter, context);
    case Route::kRenewCertificate:
      return RenewCertificate(request, context);
    case Route::kEnrolCertificate:
      return certificates_.Enrol(request, context);
    default:
      return Immediate(request, match, context);
  }
}

EdgeHandler::Awaitable EdgeHandler::Immediate(const http::Request& request, const RouteMatch& match,
                                              const RequestContext& context) {
  http::Response response;
  if (match.route == Route::kNotFound) {
    response = Answer(ProblemCode::kNotFound, "No resource has this path.", context.request_id);
  } else if (match.route == Route::kNotAllowed) {
    response = Answer(ProblemCode::kMethodNotAllowed, "Allow lists the methods of this path.",
                      context.request_id);
    response.fields.emplace_back("Allow", match.allow);
  } else if (match.route == Route::kProblemPage) {
    response = ProblemPage(match.parameter, context);
  } else if (request.peer == nullptr && match.route != Route::kLivez) {
    // Strangers at the enrolment port are not told how the parts of the edge are.
    response = Forbid(request, nullptr, context);
  } else {
    response = HealthAnswer(match.route);
    response.fields.emplace_back("Request-Id", context.request_id);
  }
  co_return response;
}

http::Response EdgeHandler::ProblemPage(std::string_view code,
                                        const RequestContext& context) const {
  std::string path("problems/");
  path.append(code).append(".md");
  const http::Response* const page = parts_.docs == nullptr ? nullptr : parts_.docs->Find(path);
  if (page == nullptr) {
    return Answer(ProblemCode::kNotFound, "No resource has this path.", context.request_id);
  }
  http::Response response = *page;
  response.fields.emplace_back("Request-Id", context.request_id);
  return response;
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
  RequestContext context;
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

http::Response EdgeHandler::Forbid(const http::Request& request, const ClientRecord* client,
                                   const RequestContext& context) const {
  ProblemCode code = ProblemCode::kCertificateNotRegistered;
  const char* detail = "Ask the operator to register the certificate's SHA-256 fingerprint.";
  if (request.peer == nullptr) {
    detail = "This port is for enrolment alone; the others ask for a client certificate.";
  } else if (client != nullptr) {
    code = ProblemCode::kClientSuspended;
    detail = "Ask the operator to resume the client.";
  }
  http::Response response = Answer(code, detail, context.request_id);
  response.close = true;
  return response;
}

EdgeHandler::Awaitable EdgeHandler::PostMessage(http::Request& request, RequestContext& context) {
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(request, client, context);
  co_return co_await intake_.Post(request, *client, context);
}

EdgeHandler::Awaitable EdgeHandler::PostBatch(http::Request& request, RequestContext& context) {
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(request, client, context);
  co_return co_await intake_.PostBatch(request, directory_.Get().Hold(request.peer->sha256_hex),
                                       context);
}

EdgeHandler::Awaitable EdgeHandler::GetMessage(const http::Request& request, std::string_view id,
                                               const RequestContext& context) {
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(request, client, context);
  co_return co_await reads_.Get(id, client->client_id, context);
}

EdgeHandler::Awaitable EdgeHandler::ListMessages(const http::Request& request,
                                                 const RequestContext& context) {
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(request, client, context);
  co_return co_await reads_.List(request.query, client->client_id, context);
}

EdgeHandler::Awaitable EdgeHandler::RenewCertificate(http::Request& request,
                                                     RequestContext& context) {
  const ClientRecord* const client = SenderOf(request);
  if (client == nullptr || !client->active) co_return Forbid(request, client, context);
  co_return co_await certificates_.Renew(request, context);
}

void EdgeHandler::Account(Route route, const http::Request& request, const RequestContext& context,
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
