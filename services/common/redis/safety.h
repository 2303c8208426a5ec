#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/redis/connection.h"

namespace postern::redis {

// How often programs look: settings changed while Redis runs are noticed within a second.
inline constexpr std::chrono::milliseconds kSafetyCheckInterval{500};

// Whether Redis keeps what it acknowledges. Each string names a setting that can lose messages and
// the fix (`maxmemory_policy is allkeys-lru: set maxmemory-policy to noeviction`). Empty: safe. A
// setting that this account may not read counts as unsafe: nothing is taken on trust. Looked at:
//   - the append-only file, its state, and how often it is fsynced;
//   - the eviction policy;
//   - the rights of the user `default`, under which Redis 7.0 replays its append-only file: with
//     fewer than all it drops transactions and scripts at a restart, in silence
//     (redis/redis#14541).
using Faults = std::vector<std::string>;

// The commands that show these settings; how many replies they have.
std::size_t AppendSafetyCommands(std::string& wire);
// Judges their replies, in order. An error when Redis cannot answer now.
absl::StatusOr<Faults> JudgeSafety(std::span<const Reply> replies);
// Asks and judges.
boost::asio::awaitable<absl::StatusOr<Faults>> UnsafeSettings(Connection& connection);

}  // namespace postern::redis
