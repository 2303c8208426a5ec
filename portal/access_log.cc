#include "portal/access_log.h"

#include "portal/web/limits.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"

namespace postern::portal {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

}  // namespace

AccessLog::Series& AccessLog::SeriesOf(std::string_view route, int status) {
  const std::string key = StrCat(route, " ", status);
  const auto known = series_.find(key);
  if (known != series_.end()) return known->second;
  Series series;
  series.count = &metrics_.Counter(
      "postern_portal_requests_total", "Requests by route and status.",
      {{"route", std::string(route)}, {"status", std::to_string(status)}});
  series.seconds =
      &metrics_.MakeHistogram("postern_portal_request_seconds", "From a whole request to its answer.",
                              metrics::RequestBuckets(), {{"route", std::string(route)}});
  return series_.emplace(key, series).first->second;
}

void AccessLog::Add(const Line& line) {
  const std::int64_t now_us = NowMicros();
  Series& series = SeriesOf(line.route, line.status);
  series.count->Increment();
  series.seconds->Observe(static_cast<double>(now_us - line.began_at_us) / 1e6);
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
