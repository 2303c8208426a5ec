#include "edge_proxy/rate_limit.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "services/common/base/strings.h"

namespace postern::edge {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
// Further ahead of the fullest moment is a clock that was set back, or a limit that was changed: it
// is forgotten. Less is another lane's clock.
constexpr std::int64_t kForgetAfterUs = 10 * kMicrosPerSecond;

std::int64_t RoundedUp(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit; }

}  // namespace

RateState RateMeter::Take(const RateLimit& limit, std::int64_t now_us, std::int64_t messages) {
  RateState state;
  if (!limit.limited()) return state;
  const std::int64_t each_us = std::max<std::int64_t>(1, kMicrosPerSecond / limit.per_second);
  const std::int64_t burst_us = each_us * limit.at_once();
  std::int64_t due_us = due_us_.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t full_us = now_us + burst_us;
    const std::int64_t from_us =
        due_us > full_us + kForgetAfterUs ? now_us : std::clamp(due_us, now_us, full_us);
    state.taken = std::min(messages, (full_us - from_us) / each_us);
    state.allowed = state.taken > 0;
    const std::int64_t next_us = from_us + state.taken * each_us;
    const std::int64_t taken_us = next_us - now_us;
    state.remaining = (burst_us - taken_us) / each_us;
    state.full_again_s = RoundedUp(taken_us, kMicrosPerSecond);
    state.retry_after_s =
        RoundedUp(std::max<std::int64_t>(0, next_us + each_us - full_us), kMicrosPerSecond);
    if (!state.allowed) return state;
    if (due_us_.compare_exchange_weak(due_us, next_us, std::memory_order_relaxed)) return state;
  }
}

void RateState::SetDay(const RateLimit& limit, std::int64_t sent_today, std::int64_t left_s) {
  if (limit.per_day == 0 || sent_today == 0) return;
  day_known = true;
  day_remaining = std::max<std::int64_t>(0, limit.per_day - sent_today);
  day_left_s = left_s;
}

void AddRateFields(const RateLimit& limit, const RateState& state, http::Response& response) {
  if (!limit.limited() && !state.day_known) return;
  constexpr std::int64_t kSecondsPerDay = 86'400;
  std::string policy;
  std::string left;
  if (limit.limited()) {
    policy =
        StrCat("\"rate\";q=", limit.at_once(), ";w=", RoundedUp(limit.at_once(), limit.per_second));
    left = StrCat("\"rate\";r=", state.remaining, ";t=", state.full_again_s);
  }
  if (state.day_known) {
    const std::string_view comma = policy.empty() ? "" : ", ";
    policy.append(StrCat(comma, "\"day\";q=", limit.per_day, ";w=", kSecondsPerDay));
    left.append(StrCat(comma, "\"day\";r=", state.day_remaining, ";t=", state.day_left_s));
  }
  response.fields.emplace_back("RateLimit-Policy", std::move(policy));
  response.fields.emplace_back("RateLimit", std::move(left));
}

}  // namespace postern::edge
