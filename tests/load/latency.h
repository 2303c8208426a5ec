#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace postern::load {

// Counts latencies in buckets 1/32 of a power of two wide: quantiles are at most 3.2 % too high.
// Microseconds up to 2^40.
class LatencyCounts {
 public:
  void Add(std::chrono::steady_clock::duration latency) {
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
    ++counts_[BucketOf(micros < 0 ? 0 : static_cast<std::uint64_t>(micros))];
    ++total_;
  }
  void Clear() { *this = LatencyCounts(); }
  std::uint64_t total() const { return total_; }

  // The upper bound, in milliseconds, of the bucket that holds the quantile; 0 when nothing was
  // counted. `quantile`: 0 to 1.
  double QuantileMillis(double quantile) const {
    if (total_ == 0) return 0;
    const auto rank = static_cast<std::uint64_t>(quantile * static_cast<double>(total_ - 1));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen > rank) return static_cast<double>(UpperBound(bucket)) / 1000;
    }
    return 0;
  }

 private:
  static constexpr std::uint64_t kSteps = 32;
  static constexpr int kStepBits = 5;
  static constexpr std::size_t kPowers = 36;

  static std::size_t BucketOf(std::uint64_t micros) {
    if (micros < kSteps) return static_cast<std::size_t>(micros);
    const int power = static_cast<int>(std::bit_width(micros)) - 1 - kStepBits;
    const std::size_t bucket =
        static_cast<std::size_t>(power) * kSteps + static_cast<std::size_t>(micros >> power);
    return bucket < kPowers * kSteps ? bucket : kPowers * kSteps - 1;
  }
  static std::uint64_t UpperBound(std::size_t bucket) {
    if (bucket < 2 * kSteps) return bucket + 1;
    const std::size_t power = bucket / kSteps - 1;
    return (bucket % kSteps + kSteps + 1) << power;
  }

  std::array<std::uint64_t, kPowers * kSteps> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace postern::load
