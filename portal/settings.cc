#include "portal/settings.h"

namespace postern::portal {
namespace {

using config::Schema;
using std::chrono::milliseconds;
constexpr auto kRequired = Schema::Presence::kRequired;
constexpr auto kOptional = Schema::Presence::kOptional;
constexpr milliseconds kTimeoutMax = std::chrono::minutes(10);

void AddProcess(Schema& schema, Settings& s) {
  schema.String("name", &s.name, kRequired, "Name of this portal, for logs.");
  schema.String("trust_domain", &s.trust_domain, kRequired,
                "The deployment's trust domain, as in its certificates.");
  schema.Choice("log.level", &s.log_level, {"debug", "info", "warn", "error"},
                "Least important level that is logged.");
  schema.Path("log.folder", &s.log_folder, kOptional,
              "Folder for a file a day, kept for 7 days; empty: console only.");
  schema.String("ops.address", &s.ops_address, kRequired, "Address of the operations port.");
  schema.Int("ops.port", &s.ops_port, 0, 65535, "Operations port, plain HTTP.");
  schema.Int("io_threads", &s.io_threads, 1, 64, "Threads that serve browsers.");
  schema.Duration("drain_timeout_ms", &s.drain_timeout, milliseconds(0), kTimeoutMax,
                  "At a stop: how long requests in hand may take.");
}

void AddListener(Schema& schema, Settings& s) {
  schema.String("listen.address", &s.listen_address, kRequired, "Address of the HTTPS port.");
  schema.Int("listen.port", &s.listen_port, 0, 65535, "HTTPS port.");
  schema.Path("listen.certificate_file", &s.listen.certificate, kRequired,
              "Certificate that browsers see (PEM, leaf first).");
  schema.Path("listen.key_file", &s.listen.key, kRequired, "Its key (PEM, mode 0600).");
  schema.Int("listen.connections_max", &s.connections_max, 1, 100'000, "Open connections.");
  schema.Int("listen.requests_max", &s.requests_max, 1, 100'000, "Requests in hand at one time.");
  schema.Duration("listen.idle_timeout_ms", &s.idle_timeout, milliseconds(1), kTimeoutMax,
                  "Longest time between two requests of a connection.");
}

}  // namespace

Schema MakeSchema(Settings& settings) {
  Settings& s = settings;
  Schema schema;
  AddProcess(schema, s);
  AddListener(schema, s);
  schema.Path("mesh.certificate_file", &s.mesh.certificate, kRequired,
              "This portal's certificate towards the main server (PEM).");
  schema.Path("mesh.key_file", &s.mesh.key, kRequired, "Its key (PEM, mode 0600).");
  schema.Path("mesh.trust_file", &s.mesh.trust, kRequired, "The CA of the services (PEM).");
  trust::AddSettings(schema, s.trust);
  schema.String("server.target", &s.server_target, kRequired,
                "The main server: host:port, or dns:///name:port for several.");
  schema.Path("session.key_file", &s.session_key_file, kRequired,
              "Keys that seal the browsers' cookies, the same for all portals: 64 hexadecimal "
              "digits a line, the first seals, all open; mode 0600.");
  schema.Path("templates_folder", &s.templates_folder, kRequired,
              "Folder of the pages' templates.");
  schema.Path("assets_folder", &s.assets_folder, kRequired, "Folder of style sheets and scripts.");
  return schema;
}

}  // namespace postern::portal
