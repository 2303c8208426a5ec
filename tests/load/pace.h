#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace postern::load {

// The open loop's schedule: request number k is due at start + k / rate, whatever became of those
// before it. A request that could not be sent in time keeps its moment, so that its latency counts
// the wait too (no coordinated omission).
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  // `per_second` > 0.
  Pace(double per_second, Clock::time_point start)
      : interval_ns_(1e9 / per_second), start_(start) {}

  // The moment of the next request when that is not after `now`; the request counts as taken.
  std::optional<Clock::time_point> TakeDue(Clock::time_point now) {
    const Clock::time_point due = Moment(taken_);
    if (due > now) return std::nullopt;
    ++taken_;
    return due;
  }
  // Requests that are due and not taken.
  std::int64_t Overdue(Clock::time_point now) const {
    if (now < start_) return 0;
    const double elapsed_ns = std::chrono::duration<double, std::nano>(now - start_).count();
    const auto due = static_cast<std::int64_t>(elapsed_ns / interval_ns_) + 1;
    return due > taken_ ? due - taken_ : 0;
  }

 private:
  Clock::time_point Moment(std::int64_t number) const {
    return start_ + std::chrono::nanoseconds(
                        static_cast<std::int64_t>(interval_ns_ * static_cast<double>(number)));
  }

  const double interval_ns_;
  const Clock::time_point start_;
  std::int64_t taken_ = 0;
};

}  // namespace postern::load
