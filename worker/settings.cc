#include "worker/settings.h"

namespace postern::worker {
namespace {

using config::Schema;
using std::chrono::milliseconds;
constexpr auto kRequired = Schema::Presence::kRequired;
constexpr auto kOptional = Schema::Presence::kOptional;

void AddProcess(Schema& schema, Settings& s) {
  schema.String("name", &s.name, kRequired, "Name of this worker, as in its certificate.");
  schema.String("trust_domain", &s.trust_domain, kRequired, "SPIFFE trust domain of the mesh.");
  schema.Choice("log.level", &s.log_level, {"debug", "info", "warn", "error"},
                "Least severe level that is logged.");
  schema.Path("log.folder", &s.log_folder, kOptional,
              "Folder of log files, beside standard error; empty: none.");
  schema.String("ops.address", &s.ops_address, kRequired, "Address of the operations port.");
  schema.Int("ops.port", &s.ops_port, 0, 65535, "Operations port: metrics and health, plain HTTP.");
  schema.Path("mesh.certificate_file", &s.mesh.certificate, kRequired,
              "This worker's certificate (PEM).");
  schema.Path("mesh.key_file", &s.mesh.key, kRequired, "Its key (PEM, mode 0600).");
  schema.Path("mesh.trust_file", &s.mesh.trust, kRequired, "The CA of the services (PEM).");
  trust::AddSettings(schema, s.trust);
}

void AddPeers(Schema& schema, Settings& s) {
  schema.String("redis.host", &s.redis_host, kRequired, "Host of the Redis server.");
  schema.Int("redis.port", &s.redis_port, 1, 65535, "TLS port of the Redis server.");
  schema.String("redis.user", &s.redis_user, kRequired, "Account at Redis.");
  schema.Path("redis.password_file", &s.redis_password_file, kRequired,
              "File with its password, mode 0600.");
  schema.Path("redis.trust_file", &s.redis_trust_file, kRequired,
              "The CA that Redis's certificate comes from (PEM).");
  schema.String("server.target", &s.server_target, kRequired,
                "The main server: host:port, or dns:///name:port for several.");
}

void AddWork(Schema& schema, Settings& s) {
  schema.Duration("retry_interval_ms", &s.retry_interval, milliseconds(100), std::chrono::hours(24),
                  "Time from a failed delivery attempt to the next one.");
  schema.Int("in_flight_max", &s.in_flight_max, 64, 65536,
             "Most messages taken from the queue and not yet acknowledged.");
  schema.Int("batch_max", &s.batch_max, 1, 1000, "Most messages in one delivery call.");
  schema.Duration("read_interval_ms", &s.read_interval, milliseconds(0), milliseconds(1000),
                  "Least time between reads of the queue that found messages.");
  schema.Duration("drain_timeout_ms", &s.drain_timeout, milliseconds(0), std::chrono::minutes(10),
                  "Longest time to finish what is in hand at a stop.");
}

}  // namespace

Schema MakeSchema(Settings& settings) {
  Schema schema;
  AddProcess(schema, settings);
  AddPeers(schema, settings);
  AddWork(schema, settings);
  return schema;
}

}  // namespace postern::worker
