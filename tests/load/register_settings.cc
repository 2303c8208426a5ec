#include "tests/load/register_settings.h"

#include <chrono>
#include <utility>

#include "services/common/base/files.h"
#include "services/ctl/config.h"

namespace postern::load {

absl::StatusOr<RegisterSettings> LoadRegisterSettings(const std::string& path) {
  auto config = ctl::LoadConfig(path);
  if (!config.ok()) return config.status();
  RegisterSettings settings;
  settings.channel.target = config->server_target;
  settings.channel.files = config->mesh;
  settings.channel.trust_domain = config->trust_domain;
  settings.database = config->database;
  auto password = ReadSecretFile(config->database_password_file);
  if (!password.ok()) return password.status();
  settings.database.password = *std::move(password);
  // A count over a large table takes its time.
  settings.database.io_timeout = std::chrono::minutes(10);
  return settings;
}

}  // namespace postern::load
