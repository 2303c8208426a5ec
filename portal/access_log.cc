#include "portal/access_log.h"

#include "portal/web/limits.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"

namespace postern::portal {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

}  // namespace

prometheus::Counter& AccessLog::CounterOf(std::string_view route, int status) {
  prometheus::Counter*& counter = counters_[StrCat(route, " ", status)];
  if (counter == nullptr) {
    counter =
        &metrics_.Counter("postern_portal_requests_total", "Requests by route and status.",
                          {{"route", std::string(route)}, {"status", std::to_string(status)}});
  }
  return *counter;
}

metrics::Histogram& AccessLog::HistogramOf(std::string_view route) {
  metrics::Histogram*& histogram = histograms_[std::string(route)];
  if (histogram == nullptr) {
    histogram = &metrics_.MakeHistogram("postern_portal_request_seconds",
                                        "From a whole request to its answer.",
                                        metrics::RequestBuckets(), {{"route", std::string(route)}});
  }
  return *histogram;
}

void AccessLog::Add(const Line& line) {
  const std::int64_t now_us = NowMicros();
  CounterOf(line.route, line.status).Increment();
  HistogramOf(line.route).Observe(static_cast<double>(now_us - line.began_at_us) / 1e6);
  if (now_us / kMicrosPerSecond != second_) {
    second_ = now_us / kMicrosPerSecond;
    written_ = 0;
  }
  if (written_ >= kAccessLinesPerSecond) {
    ++suppressed_;
    return;
  }
  ++written_;
  log::Info("request", "route", line.route, "status", line.status, "duration_us",
            now_us - line.began_at_us, "request_id", line.request_id, "user", line.user_id,
            "suppressed", suppressed_);
  suppressed_ = 0;
}

}  // namespace postern::portal
