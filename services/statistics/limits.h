#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Bounds of the statistics.
namespace postern::statistics {

inline constexpr std::int64_t kMinute = 60;
inline constexpr std::int64_t kHour = 3600;
inline constexpr std::int64_t kDay = 86'400;

// How often journal rows are folded, and how many at once.
inline constexpr std::chrono::seconds kFoldInterval{1};
inline constexpr std::int64_t kFoldRows = 256;
// How long buckets are kept, and how many rows one step removes.
inline constexpr std::int64_t kMinutesKeptSeconds = 48 * kHour;
// Hours and days.
inline constexpr std::int64_t kHoursKeptSeconds = 400 * kDay;
inline constexpr std::int64_t kPurgeRows = 5000;
inline constexpr std::chrono::seconds kPurgeInterval{60};

// Buckets in one answer.
inline constexpr std::int64_t kBucketsDefaultMax = 400;
inline constexpr std::int64_t kBucketsMax = 3000;
inline constexpr int kTotalsDefault = 50;
inline constexpr int kTotalsMax = 1000;

// How long an overview of everything is given again: at least this, and so long that working it
// out takes at most a twentieth of the time.
inline constexpr std::chrono::milliseconds kOverviewAge{1000};
inline constexpr int kOverviewPausePerWork = 20;

// Totals of all clients: from what age they are worked out anew, until what age they are given
// while that is done, and for how many ranges they are kept.
inline constexpr std::chrono::seconds kTotalsAge{2};
inline constexpr std::chrono::seconds kTotalsAgeMax{10};
inline constexpr std::size_t kTotalsKept = 16;

inline constexpr std::chrono::seconds kCallTimeout{10};

}  // namespace postern::statistics
