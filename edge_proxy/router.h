#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::edge {

// The path whose requests may have a large body.
inline constexpr std::string_view kBatchPath = "/api/v1/messages:batch";

// Where a request goes. kRefused: the HTTP server refused it before it could be routed.
enum class Route {
  kPostMessage,
  kPostBatch,
  kGetMessage,
  kListMessages,
  kRenewCertificate,
  kEnrolCertificate,
  kProblemPage,
  kHealth,
  kLivez,
  kReadyz,
  kNotFound,
  kNotAllowed,
  kRefused
};
inline constexpr std::size_t kRoutes = 13;

// The value of the label `route`: a template, never a path that a client chose.
std::string_view RouteLabel(Route route);

// What the routing table says about a request.
struct RouteMatch {
  Route route = Route::kNotFound;
  std::string_view
      parameter;      // What stands for `{id}`, a view into the path; empty where there is none.
  std::string allow;  // For kNotAllowed: the value of the field Allow.
};

// Finds the row for a request. Paths are compared as sent, without decoding and with no trailing
// slash.
RouteMatch MatchRoute(std::string_view method, std::string_view path);

}  // namespace postern::edge
