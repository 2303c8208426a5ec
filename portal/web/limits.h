#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Every fixed limit of the portal, in one place. What operators may change is in settings.h.
namespace postern::portal {

// --- What a browser may send ---
inline constexpr std::size_t kHeaderBytesMax = 32 * 1024;
inline constexpr std::size_t kBodyBytesMax = 64 * 1024;
// Fields of a form or a query; more is refused.
inline constexpr std::size_t kParametersMax = 100;
inline constexpr std::size_t kCookiesMax = 32;
// Of a path to come back to after the login.
inline constexpr std::size_t kReturnPathBytesMax = 1024;
// A value that a page repeats, in a form or as a filter, is cut to this.
inline constexpr std::size_t kRepeatedBytesMax = 16 * 1024;

// --- Cookies ---
// Browsers keep cookies of 4096 bytes, name and attributes included.
inline constexpr std::size_t kCookieBytesMax = 4000;
inline constexpr std::chrono::seconds kPreferenceLife = std::chrono::hours(24 * 365);

// --- Main server ---
inline constexpr std::chrono::milliseconds kCallDeadline{5'000};
// Hashing of passwords waits for its turn.
inline constexpr std::chrono::milliseconds kLoginDeadline{15'000};
// An access token is changed for a new one so long before it ends.
inline constexpr std::chrono::seconds kRefreshAhead{30};
// `Retry-After` of a page that says that the main server cannot be reached.
inline constexpr std::int64_t kRetryAfterSeconds = 5;

// --- Live pages ---
inline constexpr std::chrono::milliseconds kLiveInterval{2'000};
// A comment at least so often shows proxies and us that the other side is there.
inline constexpr std::chrono::milliseconds kLiveHeartbeat{15'000};
// Browsers open six connections to one host; a stream is one of them.
inline constexpr std::size_t kLivePerSession = 4;
inline constexpr std::size_t kLivePerLane = 256;

// --- Pages ---
inline constexpr int kRowsPerPage = 25;
inline constexpr int kRowsPerPageMax = 100;

// --- Process ---
inline constexpr int kAccessLinesPerSecond = 20;

}  // namespace postern::portal
