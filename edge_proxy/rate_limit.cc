#include "edge_proxy/rate_limit.h"

#include <algorithm>

#include "services/common/base/strings.h"

namespace postern::edge {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
// Further ahead of the fullest moment is a clock that was set back, or a limit that was changed: it
// is forgotten. Less is another lane's clock.
constexpr std::int64_t kForgetAfterUs = 10 * kMicrosPerSecond;

std::int64_t RoundedUp(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit; }

}  // namespace

RateState RateMeter::Take(const RateLimit& limit, std::int64_t now_us) {
  RateState state;
  if (!limit.limited()) return state;
  const std::int64_t each_us = std::max<std::int64_t>(1, kMicrosPerSecond / limit.per_second);
  const std::int64_t burst_us = each_us * limit.at_once();
  std::int64_t due_us = due_us_.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t full_us = now_us + burst_us;
    const std::int64_t from_us =
        due_us > full_us + kForgetAfterUs ? now_us : std::clamp(due_us, now_us, full_us);
    const std::int64_t next_us = from_us + each_us;
    state.allowed = next_us - now_us <= burst_us;
    const std::int64_t taken_us = (state.allowed ? next_us : from_us) - now_us;
    state.remaining = (burst_us - taken_us) / each_us;
    state.full_again_s = RoundedUp(taken_us, kMicrosPerSecond);
    if (!state.allowed) {
      state.retry_after_s = RoundedUp(next_us - burst_us - now_us, kMicrosPerSecond);
      return state;
    }
    if (due_us_.compare_exchange_weak(due_us, next_us, std::memory_order_relaxed)) return state;
  }
}

void AddRateFields(const RateLimit& limit, const RateState& state, http::Response& response) {
  if (!limit.limited()) return;
  response.fields.emplace_back(
      "RateLimit-Policy",
      StrCat("\"rate\";q=", limit.at_once(), ";w=", RoundedUp(limit.at_once(), limit.per_second)));
  response.fields.emplace_back("RateLimit",
                               StrCat("\"rate\";r=", state.remaining, ";t=", state.full_again_s));
}

}  // namespace postern::edge
