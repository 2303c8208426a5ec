#include "services/server/checks.h"

#include <string>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::server {
namespace {

using State = http::Check::State;

// The ledger reads the queue once a second.
constexpr std::int64_t kSampleAgeMaxUs = 10'000'000;

http::Check Make(const char* name, State state, std::string detail) {
  http::Check check;
  check.name = name;
  check.state = state;
  check.detail = std::move(detail);
  return check;
}

}  // namespace

http::Check DatabaseCheck(bool healthy) {
  return healthy ? Make("database", State::kPass, "connected")
                 : Make("database", State::kFail, "not connected");
}

http::Check QueueCheck(const messages::Ledger& ledger, const redis::QueueSafety& safety) {
  const auto figures = ledger.latest();
  if (!figures.ok()) return Make("redis", State::kWarn, "the queue was not read yet");
  const std::int64_t age_us = NowMicros() - figures->measured_at_us;
  if (age_us > kSampleAgeMaxUs) {
    return Make("redis", State::kWarn,
                StrCat("the queue was last read at ", FormatRfc3339(figures->measured_at_us)));
  }
  std::string faults = safety.faults();
  if (!faults.empty()) return Make("redis", State::kWarn, std::move(faults));
  return Make("redis", State::kPass, "connected");
}

http::Check LedgerCheck(const messages::Ledger& ledger) {
  const auto figures = ledger.latest();
  if (!figures.ok()) return Make("ledger", State::kWarn, "not measured yet");
  if (figures->closed) return Make("ledger", State::kPass, "closed");
  return Make("ledger", State::kWarn, StrCat("open, gap ", figures->gap));
}

}  // namespace postern::server
