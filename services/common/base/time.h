#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace postern {

// Wall-clock time in microseconds since the Unix epoch. May step; never use it for intervals.
std::int64_t NowMicros();

// RFC 3339 in UTC with milliseconds, such as `2026-11-22T03:24:58.123Z`.
std::string FormatRfc3339(std::int64_t micros);
// Any RFC 3339 date-time with offset; InvalidArgument otherwise. Microseconds since the Unix epoch.
absl::StatusOr<std::int64_t> ParseRfc3339(std::string_view text);

// A point on the monotonic clock by which something has to be done.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  static Deadline After(Clock::duration budget) { return Deadline(Clock::now() + budget); }
  static Deadline At(Clock::time_point when) { return Deadline(when); }

  Clock::time_point when() const { return when_; }
  // Zero when it has passed.
  Clock::duration Remaining() const {
    const auto now = Clock::now();
    return when_ > now ? when_ - now : Clock::duration::zero();
  }
  bool Expired() const { return Clock::now() >= when_; }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
};

}  // namespace postern
