#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/redis/connection.h"

namespace postern::redis {

// Reads the settings that decide whether acknowledged entries survive, with INFO (which needs no
// administrator's right): each string of the answer names a setting that can lose data and the fix
// (`maxmemory-policy is allkeys-lru: set it to noeviction`). Empty: safe. Settings that only CONFIG
// GET shows (appendfsync, no-appendfsync-on-rewrite) are read when the user may.
boost::asio::awaitable<absl::StatusOr<std::vector<std::string>>> UnsafeSettings(
    Connection& connection);

}  // namespace postern::redis
