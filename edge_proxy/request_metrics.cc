#include "edge_proxy/request_metrics.h"

#include <algorithm>
#include <string>

namespace postern::edge {
namespace {

constexpr auto kPost = Route::kPostMessage;
constexpr auto kGet = Route::kGetMessage;

prometheus::Counter& Requests(metrics::Registry& registry, Route route, int status) {
  return registry.Counter(
      "postern_http_requests_total", "Requests by route and status.",
      {{"route", std::string(RouteLabel(route))}, {"code", std::to_string(status)}});
}

}  // namespace

RequestMetrics::RequestMetrics(metrics::Registry& registry) : registry_(registry) {
  for (std::size_t i = 0; i < kRoutes; ++i) {
    durations_[i] = &registry.MakeHistogram(
        "postern_http_request_duration_seconds", "From the last byte of a request to its answer.",
        metrics::RequestBuckets(), {{"route", std::string(RouteLabel(static_cast<Route>(i)))}});
  }
  // Visible before they first happen.
  for (const int status : {202, 400, 403, 413, 415, 422, 500, 503})
    Requests(registry, kPost, status);
  for (const int status : {202, 207, 400, 403, 413, 415, 422, 500, 503}) {
    Requests(registry, Route::kPostBatch, status);
  }
  for (const int status : {200, 403, 404, 500, 503}) Requests(registry, kGet, status);
  for (const int status : {200, 400, 403, 500, 503}) {
    Requests(registry, Route::kListMessages, status);
  }
}

void RequestMetrics::Count(Route route, int status, double seconds) {
  const auto row = static_cast<std::size_t>(route);
  const int bounded = std::clamp(status, kStatusMin, kStatusMax);
  prometheus::Counter*& counter = counters_[row][static_cast<std::size_t>(bounded - kStatusMin)];
  if (counter == nullptr) counter = &Requests(registry_, route, bounded);
  counter->Increment();
  durations_[row]->Observe(seconds);
}

}  // namespace postern::edge
