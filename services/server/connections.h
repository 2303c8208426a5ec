#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/connection.h"
#include "services/common/redis/connection.h"
#include "services/server/settings.h"

namespace postern::server {

// What the files hold that the configuration names.
struct Connections {
  db::Settings database;
  redis::Settings redis;
  std::map<std::uint32_t, crypto::Secret> master_keys;
  std::shared_ptr<const crypto::Secret> index_key;
};

// Reads the files of passwords, keys and certificates. InvalidArgument with every fault, a line
// each.
absl::StatusOr<Connections> ReadConnections(const Settings& settings);

}  // namespace postern::server
