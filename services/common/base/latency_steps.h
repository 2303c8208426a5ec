#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace postern {

// Steps of a histogram of durations: four to each doubling from a millisecond on, so that a step is
// 19 % wide; 0 is everything up to a millisecond, the last everything from 73 minutes on.
inline constexpr int kLatencyStepsMax = 89;

inline int LatencyStep(std::int64_t micros) {
  if (micros <= 1000) return 0;
  const double octaves = std::log2(static_cast<double>(micros) / 1000.0);
  return std::min(static_cast<int>(octaves * 4.0) + 1, kLatencyStepsMax - 1);
}

// The longest duration of a step, in microseconds.
inline std::int64_t LatencyOfStep(int step) {
  return static_cast<std::int64_t>(1000.0 * std::exp2(static_cast<double>(step) / 4.0));
}

}  // namespace postern
