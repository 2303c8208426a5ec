#include "portal/portal_handler.h"

#include <utility>

#include "absl/strings/match.h"
#include "portal/web/security_headers.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"

namespace postern::portal {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kAssets = "/assets/";
constexpr std::string_view kEvents = "/events";
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

// A hole in a page is a fault of ours.
Templates::OnMissing CountMissing(metrics::Registry& metrics) {
  prometheus::Counter& count = metrics.Counter(
      "postern_portal_template_faults_total", "Variables of templates that the page did not have.");
  return [&count](std::string_view page, std::string_view variable) {
    static log::RateLimit limit;
    count.Increment();
    if (limit.Allow()) log::Error("template_variable_missing", "page", page, "variable", variable);
  };
}

}  // namespace

PortalHandler::PortalHandler(asio::io_context& io, const PortalParts& parts)
    : io_(io),
      parts_(parts),
      templates_(parts_.templates, CountMissing(*parts_.metrics)),
      sealer_(*parts_.keys),
      csrf_(*parts_.keys),
      access_log_(*parts_.metrics) {}

PageParts PortalHandler::Parts() {
  PageParts parts;
  parts.backend = parts_.backend;
  parts.assets = parts_.assets;
  parts.zones = parts_.zones;
  parts.templates = &templates_;
  parts.sealer = &sealer_;
  parts.csrf = &csrf_;
  return parts;
}

asio::awaitable<http::Response> PortalHandler::Handle(http::Request request) {
  std::string id = ids_.Next(request.received_at_us).ToString();
  Visit visit(Parts(), std::move(request), std::move(id));
  std::string label;
  http::Response response = co_await Answer(visit, label);
  visit.Complete(response);
  AddSecurityHeaders(response);
  Account(visit, label, response);
  co_return response;
}

asio::awaitable<http::Response> PortalHandler::Answer(Visit& visit, std::string& label) {
  const std::string_view path = visit.request.path;
  if (path.starts_with(kAssets)) {
    label = "GET /assets/{}";
    co_return parts_.assets->Answer(visit.request);
  }
  absl::StatusOr<Parameters> query = Parameters::Parse(visit.request.query);
  if (!query.ok()) {
    label = "unreadable";
    co_return visit.ErrorPage(400, StrCat("The address: ", ToStd(query.status().message()), "."));
  }
  visit.query = *std::move(query);
  if (path == kEvents && visit.request.method == "GET") {
    label = "GET /events";
    const absl::Status refreshed = co_await visit.RefreshIfDue();
    if (!refreshed.ok()) co_return visit.Failure(refreshed);
    co_return OpenStream(visit);
  }
  const RouteMatch match = MatchRoute(visit.request.method, path);
  if (match.route == nullptr) {
    label = match.other_method ? "other method" : "not found";
    co_return visit.ErrorPage(match.other_method ? 405 : 404);
  }
  label = StrCat(match.route->method, " ", match.route->path);
  visit.parameter = match.parameter;
  co_return co_await Open(visit, *match.route);
}

asio::awaitable<http::Response> PortalHandler::Open(Visit& visit, const Route& route) {
  if (route.method == "POST") {
    std::optional<http::Response> refusal = CheckForm(visit);
    if (refusal.has_value()) {
      co_await Report(visit, route.path, v1::REFUSAL_REASON_FORM);
      co_return *std::move(refusal);
    }
  }
  if (route.access != Access::kAnybody) {
    if (!visit.session.has_value()) co_return co_await TurnAway(visit, route.path);
    const absl::Status refreshed = co_await visit.RefreshIfDue();
    if (!refreshed.ok()) co_return visit.Failure(refreshed);
    if (visit.session->password_change_required && route.access != Access::kNewPassword) {
      co_return visit.Redirect("/password");
    }
    if (route.access == Access::kAdmin && !visit.admin()) {
      co_await Report(visit, route.path, v1::REFUSAL_REASON_ROLE);
      co_return visit.ErrorPage(403);
    }
  }
  co_return co_await route.page(visit);
}

asio::awaitable<http::Response> PortalHandler::TurnAway(Visit& visit, std::string_view route) {
  if (visit.foreign_session()) co_await Report(visit, route, v1::REFUSAL_REASON_SESSION);
  co_return visit.ToLogin();
}

asio::awaitable<void> PortalHandler::Report(Visit& visit, std::string_view route,
                                            v1::RefusalReason reason) {
  v1::ReportRefusalRequest report;
  report.set_method(visit.request.method == "POST" ? "POST" : "GET");
  report.set_route(std::string(route));
  report.set_reason(reason);
  report.set_address(visit.request.remote_address);
  const auto told =
      co_await visit.Ask(visit.backend().audit->async(),
                         &v1::AuditService::StubInterface::async_interface::ReportRefusal, report);
  static log::RateLimit limit;
  if (!told.ok() && limit.Allow()) {
    log::Warn("refusal_not_reported", "route", route, "code",
              static_cast<int>(told.status().code()), "request_id", visit.request_id);
  }
}

std::optional<http::Response> PortalHandler::CheckForm(Visit& visit) {
  const std::string_view type = visit.request.Field("content-type").value_or("");
  if (!absl::StartsWithIgnoreCase(ToAbsl(type), ToAbsl(kFormType))) {
    return visit.ErrorPage(400, StrCat("A form comes as ", kFormType, "."));
  }
  absl::StatusOr<Parameters> form = Parameters::Parse(visit.request.body);
  if (!form.ok()) {
    return visit.ErrorPage(400, StrCat("The form: ", ToStd(form.status().message()), "."));
  }
  visit.form = *std::move(form);
  if (visit.FormIsOurs()) return std::nullopt;
  return visit.ErrorPage(
      403,
      "This form is too old, or it was not made by this site for you. Open the page "
      "again and fill it in once more.");
}

http::Response PortalHandler::OpenStream(Visit& visit) {
  http::Response response;
  if (!visit.session.has_value() || visit.session->password_change_required) {
    return visit.ErrorPage(403);
  }
  auto stream =
      std::make_shared<LiveStream>(io_, *parts_.backend, *visit.session,
                                   std::string(visit.request.Field("last-event-id").value_or("")));
  if (!streams_.Add(stream)) return visit.ErrorPage(429);
  response.content_type = "text/event-stream";
  response.fields.emplace_back("Cache-Control", "no-store");
  response.stream = std::move(stream);
  return response;
}

http::Response PortalHandler::Refuse(int status, std::string_view detail) {
  http::Request unknown;
  unknown.method = "GET";
  unknown.path = "/";
  unknown.received_at_us = NowMicros();
  Visit visit(Parts(), std::move(unknown), ids_.Next(NowMicros()).ToString());
  http::Response response = visit.ErrorPage(status, detail);
  visit.Complete(response);
  AddSecurityHeaders(response);
  Account(visit, "refused", response);
  return response;
}

void PortalHandler::Account(const Visit& visit, const std::string& label,
                            const http::Response& response) {
  AccessLog::Line line;
  line.route = label;
  line.status = response.status;
  line.began_at_us = visit.request.received_at_us;
  line.request_id = visit.request_id;
  if (visit.session.has_value()) line.user_id = visit.session->user_id;
  access_log_.Add(line);
}

}  // namespace postern::portal
