#include "tests/load/register_settings.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "services/common/base/files.h"
#include "services/common/config/config.h"

namespace postern::load {

absl::StatusOr<RegisterSettings> LoadRegisterSettings(const std::string& path) {
  using Presence = config::Schema::Presence;
  RegisterSettings settings;
  std::int64_t port = settings.database.port;
  std::string password_file;
  std::string unused_folder;
  std::vector<std::string> unused_urls;
  settings.database.schema = "postern";

  config::Schema schema;
  auto& channel = settings.channel;
  schema.String("trust_domain", &channel.trust_domain, Presence::kRequired, "Trust domain.");
  schema.String("server.target", &channel.target, Presence::kRequired, "The main server.");
  schema.Path("mesh.certificate_file", &channel.files.certificate, Presence::kRequired,
              "Own certificate.");
  schema.Path("mesh.key_file", &channel.files.key, Presence::kRequired, "Its key.");
  schema.Path("mesh.trust_file", &channel.files.trust, Presence::kRequired, "ServicesCA.");
  auto& database = settings.database;
  schema.String("database.host", &database.host, Presence::kOptional, "Host of the database.");
  schema.Int("database.port", &port, 1, 65535, "Its port.");
  schema.String("database.user", &database.user, Presence::kRequired, "Account.");
  schema.Path("database.password_file", &password_file, Presence::kRequired, "Its password.");
  schema.String("database.schema", &database.schema, Presence::kOptional, "Schema.");
  schema.Path("database.ca_file", &database.ca_file, Presence::kRequired, "CA of the database.");
  schema.Path("database.certificate_file", &database.certificate_file, Presence::kOptional,
              "Client certificate.");
  schema.Path("database.key_file", &database.key_file, Presence::kOptional, "Its key.");
  // posternctl's alone.
  schema.Path("migrations_folder", &unused_folder, Presence::kOptional, "Not used here.");
  schema.StringList("ops.urls", &unused_urls, Presence::kOptional, "Not used here.");

  const absl::Status loaded = schema.Load(path);
  if (!loaded.ok()) return loaded;
  database.port = static_cast<std::uint16_t>(port);
  auto password = ReadSecretFile(password_file);
  if (!password.ok()) return password.status();
  database.password = *std::move(password);
  // A listing or a count may take its time while the machine is busy.
  database.io_timeout = std::chrono::minutes(10);
  return settings;
}

}  // namespace postern::load
