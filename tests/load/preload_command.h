#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/db/connection.h"

namespace postern::load {

// Stores `messages` delivered messages that look like those of a load run (of `clients` clients,
// `client-00` and so on; references `ref-1`, `ref-2`, …; random number hashes, bodies of about 160
// characters that no key opens), accepted evenly over a day that ended an hour ago, with their
// clients and statistics, and raises both sides of the ledger. For a schema that no server writes
// to meanwhile.
absl::Status Preload(db::Connection& connection, std::int64_t messages, std::int64_t clients);

// Preloads and prints one JSON line with `messages`, `seconds` and `rows_per_s`. Gives the exit
// code.
int RunPreload(std::int64_t messages, std::int64_t clients, const std::string& ctl_config);

}  // namespace postern::load
