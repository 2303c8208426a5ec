#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace postern::ctl {

inline constexpr double kDefaultTimeoutSeconds = 10;
inline constexpr double kTimeoutMinSeconds = 0.1;
inline constexpr double kTimeoutMaxSeconds = 3600;

// Pages, as the server bounds them.
inline constexpr std::int32_t kDefaultPageSize = 50;
inline constexpr std::int32_t kPageSizeMax = 1000;

// How often `message tail` asks when nothing comes.
inline constexpr std::chrono::milliseconds kTailInterval{500};

// Dead letters brought back in a second.
inline constexpr std::int32_t kRedriveRateDefault = 500;
inline constexpr std::int32_t kRedriveRateMax = 100'000;

// A migration may rewrite a large table.
inline constexpr std::chrono::seconds kMigrationTimeout{6 * 3600};

// Of an answer from an operations port: the rest is cut off.
inline constexpr std::size_t kOpsAnswerBytesMax = 64 * 1024;

// A clock that is off by more than this is worth a warning: certificates and times in metadata
// depend on it.
inline constexpr std::int64_t kClockSkewMaxUs = 5'000'000;

}  // namespace postern::ctl
