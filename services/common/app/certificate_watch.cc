#include "services/common/app/certificate_watch.h"

#include <algorithm>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/tls/identity.h"

namespace postern::app {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kReadIntervalUs = kMicrosPerSecond;
// Certificates renew themselves at two thirds of their life: less than a quarter left means that
// renewal fails. Where they live for longer than a week, two days are warning enough.
constexpr std::int64_t kLifePerWarning = 4;
constexpr std::int64_t kWarnBelowSecondsMax = 2 * 24 * 3600;

}  // namespace

CertificateWatch::CertificateWatch(std::string usage, std::string pem_path,
                                   metrics::Registry& metrics)
    : usage_(std::move(usage)),
      pem_path_(std::move(pem_path)),
      not_after_(metrics.Gauge("postern_tls_certificate_not_after_timestamp_seconds",
                               "When this process's own certificate ends.", {{"usage", usage_}})) {
  Check();
}

http::Check CertificateWatch::Check() {
  http::Check check;
  check.name = StrCat("certificate_", usage_);
  const std::int64_t now_us = NowMicros();
  if (now_us - read_at_us_.load() >= kReadIntervalUs) {
    const absl::StatusOr<tls::Life> life = tls::CertificateLife(pem_path_);
    if (!life.ok()) {
      check.state = http::Check::State::kFail;
      check.detail = std::string(ToStd(life.status().message()));
      return check;
    }
    not_after_s_ = life->not_after_s;
    warn_below_s_ =
        std::min(kWarnBelowSecondsMax, (life->not_after_s - life->not_before_s) / kLifePerWarning);
    read_at_us_ = now_us;
    not_after_.Set(static_cast<double>(life->not_after_s));
  }
  const std::int64_t left_s = not_after_s_ - now_us / kMicrosPerSecond;
  const std::string ends = FormatRfc3339(not_after_s_ * kMicrosPerSecond);
  if (left_s <= 0) {
    check.state = http::Check::State::kFail;
    check.detail = StrCat("expired at ", ends, ": enrol ", pem_path_, " again");
  } else if (left_s < warn_below_s_) {
    check.state = http::Check::State::kWarn;
    check.detail = StrCat("ends at ", ends, ": renew ", pem_path_);
  } else {
    check.detail = StrCat("ends at ", ends);
  }
  return check;
}

}  // namespace postern::app
