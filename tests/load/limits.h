#pragma once

#include <chrono>
#include <cstddef>

namespace postern::load {

using namespace std::chrono_literals;

// An answer that has not come by then is indeterminate, and its connection is closed.
inline constexpr auto kAnswerTimeout = 10s;
inline constexpr auto kConnectTimeout = 5s;
// After a failed connection: doubled at each failure in a row, up to the second.
inline constexpr auto kReconnectPauseMin = 50ms;
inline constexpr auto kReconnectPauseMax = 1000ms;
// After a 503: what Retry-After asks for, within these bounds.
inline constexpr auto kRefusalPauseMin = 50ms;
inline constexpr auto kRefusalPauseMax = 1000ms;
// How long the end of a run waits for answers.
inline constexpr auto kDrainTimeout = 10s;
// How often the open loop looks for requests that are due.
inline constexpr auto kPaceTick = 1ms;
// How often the ledger is written and fsynced.
inline constexpr auto kLedgerSyncInterval = 200ms;
// An answer longer than this breaks its connection.
inline constexpr std::size_t kAnswerBytesMax = 16 * 1024;
inline constexpr std::size_t kBatchAnswerBytesMax = 512 * 1024;
// Of the clients that a preload makes; the stack's own.
inline constexpr char kPreloadDomain[] = "localhost";

}  // namespace postern::load
