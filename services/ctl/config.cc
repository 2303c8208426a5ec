#include "services/ctl/config.h"

#include "services/common/base/strings.h"
#include "services/common/config/config.h"

namespace postern::ctl {

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  using Presence = config::Schema::Presence;
  Config settings;
  std::int64_t database_port = settings.database.port;
  config::Schema schema;
  schema.String("trust_domain", &settings.trust_domain, Presence::kRequired,
                "The deployment's SPIFFE trust domain.");
  schema.String("server.target", &settings.server_target, Presence::kOptional,
                "The main server, host:port.");
  schema.Path("mesh.certificate_file", &settings.mesh.certificate, Presence::kOptional,
              "The operator's certificate, PEM.");
  schema.Path("mesh.key_file", &settings.mesh.key, Presence::kOptional, "Its key, PEM, mode 0600.");
  schema.Path("mesh.trust_file", &settings.mesh.trust, Presence::kOptional,
              "The CA that issues certificates of the mesh, PEM.");
  schema.String("database.host", &settings.database.host, Presence::kOptional,
                "The database, for posternctl db.");
  schema.Int("database.port", &database_port, 1, 65535, "Its port.");
  schema.String("database.user", &settings.database.user, Presence::kOptional,
                "The account that may change the schema; empty: no database commands.");
  schema.Path("database.password_file", &settings.database_password_file, Presence::kOptional,
              "A file with its password, mode 0600.");
  schema.String("database.schema", &settings.database.schema, Presence::kOptional, "The schema.");
  schema.Path("database.ca_file", &settings.database.ca_file, Presence::kOptional,
              "The CA that issued the database's certificate, PEM.");
  schema.Path("database.certificate_file", &settings.database.certificate_file, Presence::kOptional,
              "Client certificate for the database, PEM.");
  schema.Path("database.key_file", &settings.database.key_file, Presence::kOptional,
              "Its key, PEM, mode 0600.");
  schema.Path("migrations_folder", &settings.migrations_folder, Presence::kOptional,
              "The folder of the migrations, V0001__what_it_does.sql.");
  schema.StringList("ops.urls", &settings.ops_urls, Presence::kOptional,
                    "Operations ports that doctor asks, such as http://127.0.0.1:9101.");
  if (const absl::Status status = schema.Load(path); !status.ok()) {
    return absl::FailedPreconditionError(status.message());
  }
  settings.database.port = static_cast<std::uint16_t>(database_port);
  return settings;
}

}  // namespace postern::ctl
