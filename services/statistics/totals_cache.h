#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "postern/v1/statistics_service.pb.h"

namespace postern::statistics {

// The totals of all clients until now, as worked out last for the ranges that are asked for. A sum
// over many clients takes long: it is given again for kTotalsAgeMax, and once it is older than
// kTotalsAge one of those who ask works out the next one. Thread-safe.
class TotalsCache {
 public:
  using Clock = std::chrono::steady_clock;
  using Totals = std::shared_ptr<const v1::ListClientTotalsResponse>;

  struct Range {
    std::int64_t from_s = 0;  // Unix epoch.
    std::int64_t limit = 0;   // Of clients.
    auto operator<=>(const Range&) const = default;
  };
  struct Found {
    Totals totals;       // Null: none that may be given again.
    bool renew = false;  // Whether the caller is to work them out and to Keep them.
  };

  Found Find(const Range& range, Clock::time_point now);
  void Keep(const Range& range, Totals totals, Clock::time_point now);

 private:
  struct Entry {
    Totals totals;
    Clock::time_point made_at;
    Clock::time_point renewal_at;  // When somebody was told last to renew them.
  };

  std::mutex mutex_;
  std::map<Range, Entry> entries_;  // At most kTotalsKept.
};

}  // namespace postern::statistics
