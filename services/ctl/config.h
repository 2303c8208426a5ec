#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/db/connection.h"
#include "services/common/tls/settings.h"

namespace postern::ctl {

// What posternctl needs to know; LoadConfig names and describes the keys.
struct Config {
  std::string trust_domain;
  std::string server_target;
  tls::Files mesh;
  db::Settings database;  // Without the password.
  std::string database_password_file;
  std::string migrations_folder;
  std::vector<std::string> ops_urls;  // `http://host:port` of each program's operations port.
};

// FailedPrecondition with every fault when the file is missing or wrong.
absl::StatusOr<Config> LoadConfig(const std::string& path);

}  // namespace postern::ctl
