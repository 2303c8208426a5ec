#include "services/statistics/totals_cache.h"

#include <algorithm>
#include <utility>

#include "services/statistics/limits.h"

namespace postern::statistics {

TotalsCache::Found TotalsCache::Find(const Range& range, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(range);
  if (found == entries_.end() || now - found->second.made_at > kTotalsAgeMax) {
    return {.totals = nullptr, .renew = true};
  }
  Entry& entry = found->second;
  // Who was told before may have failed: another one is told after a while.
  const bool renew = now - entry.made_at > kTotalsAge && now - entry.renewal_at > kTotalsAge;
  if (renew) entry.renewal_at = now;
  return {.totals = entry.totals, .renew = renew};
}

void TotalsCache::Keep(const Range& range, Totals totals, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (!entries_.contains(range) && entries_.size() >= kTotalsKept) {
    entries_.erase(std::ranges::min_element(
        entries_, {}, [](const auto& entry) { return entry.second.made_at; }));
  }
  entries_[range] = {.totals = std::move(totals), .made_at = now, .renewal_at = now};
}

}  // namespace postern::statistics
