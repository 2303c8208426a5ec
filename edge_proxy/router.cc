#include "edge_proxy/router.h"

#include <array>

namespace postern::edge {
namespace {

struct Row {
  std::string_view method;
  std::string_view prefix;  // The whole path, or what stands before the parameter.
  bool has_parameter;
  Route route;
};

constexpr std::array kTable{
    Row{"POST", "/api/v1/messages", false, Route::kPostMessage},
    Row{"GET", "/api/v1/messages", false, Route::kListMessages},
    Row{"POST", kBatchPath, false, Route::kPostBatch},
    Row{"GET", "/api/v1/messages/", true, Route::kGetMessage},
    Row{"POST", "/api/v1/certificate:renew", false, Route::kRenewCertificate},
    Row{"POST", "/api/v1/certificate:enrol", false, Route::kEnrolCertificate},
    Row{"GET", "/problems/", true, Route::kProblemPage},
    Row{"GET", "/api/v1/health", false, Route::kHealth},
    Row{"GET", "/livez", false, Route::kLivez},
    Row{"GET", "/readyz", false, Route::kReadyz},
};

bool PathFits(const Row& row, std::string_view path) {
  if (!row.has_parameter) return path == row.prefix;
  if (!path.starts_with(row.prefix)) return false;
  const std::string_view parameter = path.substr(row.prefix.size());
  return !parameter.empty() && parameter.find('/') == std::string_view::npos;
}

}  // namespace

std::string_view RouteLabel(Route route) {
  static constexpr std::array<std::string_view, kRoutes> kLabels{"POST /api/v1/messages",
                                                                 "POST /api/v1/messages:batch",
                                                                 "GET /api/v1/messages/{id}",
                                                                 "GET /api/v1/messages",
                                                                 "POST /api/v1/certificate:renew",
                                                                 "POST /api/v1/certificate:enrol",
                                                                 "GET /problems/{code}",
                                                                 "GET /api/v1/health",
                                                                 "GET /livez",
                                                                 "GET /readyz",
                                                                 "not_found",
                                                                 "not_allowed",
                                                                 "refused"};
  return kLabels[static_cast<std::size_t>(route)];
}

RouteMatch MatchRoute(std::string_view method, std::string_view path) {
  RouteMatch match;
  for (const Row& row : kTable) {
    if (!PathFits(row, path)) continue;
    if (row.method == method) {
      match.route = row.route;
      if (row.has_parameter) match.parameter = path.substr(row.prefix.size());
      return match;
    }
    match.route = Route::kNotAllowed;
    if (!match.allow.empty()) match.allow.append(", ");
    match.allow.append(row.method);
  }
  return match;
}

}  // namespace postern::edge
