#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/common/db/connection.h"
#include "services/common/rpc/credentials.h"

namespace postern::load {

// How the main server and its database are reached.
struct RegisterSettings {
  rpc::ChannelSettings channel;  // As an operator.
  db::Settings database;
};

// Reads a configuration file of posternctl, with the same keys. Errors as config::Schema::Load
// gives them, and those of the password file.
absl::StatusOr<RegisterSettings> LoadRegisterSettings(const std::string& path);

}  // namespace postern::load
