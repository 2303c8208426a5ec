#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace postern::certificates {

inline constexpr std::chrono::seconds kCallTimeout{10};
inline constexpr int kPageDefault = 50;
inline constexpr int kPageMax = 1000;
// Of certificates that one revocation names in its answer.
inline constexpr std::size_t kRevokedNamedMax = 1000;
// Of a certificate that is to be renewed, PEM or DER, its chain included.
inline constexpr std::size_t kCertificateBytesMax = 32 * 1024;
// Good certificates of one line: a client renews no further by itself.
inline constexpr std::int64_t kLineageGoodMax = 16;
// Two servers that write at the same moment may meet in a deadlock; one of them tries again.
inline constexpr int kAttempts = 3;

inline constexpr std::int64_t kTokenSecondsMin = 60;
inline constexpr std::int64_t kTokenSecondsMax = 7 * 24 * 3600;
inline constexpr std::int64_t kTokenSecondsDefault = 3600;

inline constexpr std::int64_t kMicrosPerSecond = 1'000'000;

}  // namespace postern::certificates
