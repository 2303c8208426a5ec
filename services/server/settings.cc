#include "services/server/settings.h"

namespace postern::server {
namespace {

using config::Schema;
using std::chrono::milliseconds;
constexpr auto kRequired = Schema::Presence::kRequired;
constexpr auto kOptional = Schema::Presence::kOptional;

void AddProcess(Schema& schema, Settings& s) {
  schema.String("name", &s.name, kRequired, "Name of this server, as in its certificate.");
  schema.String("trust_domain", &s.trust_domain, kRequired, "SPIFFE trust domain of the mesh.");
  schema.Choice("log.level", &s.log_level, {"debug", "info", "warn", "error"},
                "Least severe level that is logged.");
  schema.Path("log.folder", &s.log_folder, kOptional,
              "Folder of log files, beside standard error; empty: none.");
  schema.String("ops.address", &s.ops_address, kRequired, "Address of the operations port.");
  schema.Int("ops.port", &s.ops_port, 0, 65535, "Operations port: metrics and health, plain HTTP.");
  schema.String("listen.address", &s.listen_address, kRequired, "Address of the gRPC port.");
  schema.Int("listen.port", &s.listen_port, 0, 65535, "gRPC port, mutual TLS.");
  schema.Path("mesh.certificate_file", &s.mesh.certificate, kRequired,
              "This server's certificate (PEM).");
  schema.Path("mesh.key_file", &s.mesh.key, kRequired, "Its key (PEM, mode 0600).");
  schema.Path("mesh.trust_file", &s.mesh.trust, kRequired, "The CA of the services (PEM).");
}

void AddDatabase(Schema& schema, DatabaseSettings& s) {
  schema.String("database.host", &s.host, kRequired, "Host of the MariaDB or MySQL server.");
  schema.Int("database.port", &s.port, 1, 65535, "Port of the database server.");
  schema.String("database.user", &s.user, kRequired, "Account at the database.");
  schema.Path("database.password_file", &s.password_file, kRequired,
              "File with its password, mode 0600.");
  schema.String("database.schema", &s.schema, kRequired, "Schema that holds the register.");
  schema.Path("database.ca_file", &s.ca_file, kRequired,
              "The CA that the database's certificate comes from (PEM).");
  schema.Path("database.certificate_file", &s.certificate_file, kOptional,
              "Certificate to show to the database (PEM).");
  schema.Path("database.key_file", &s.key_file, kOptional, "Its key (PEM, mode 0600).");
  schema.Int("database.connections", &s.connections, 1, 64,
             "Connections for everything but the combined writes.");
  schema.Duration("database.commit_interval_ms", &s.commit_interval, milliseconds(0),
                  milliseconds(1000), "Least time between two commits of the writer.");
}

void AddRedis(Schema& schema, RedisSettings& s) {
  schema.String("redis.host", &s.host, kRequired, "Host of the Redis server.");
  schema.Int("redis.port", &s.port, 1, 65535, "TLS port of the Redis server.");
  schema.String("redis.user", &s.user, kRequired, "Account at Redis.");
  schema.Path("redis.password_file", &s.password_file, kRequired,
              "File with its password, mode 0600.");
  schema.Path("redis.trust_file", &s.trust_file, kRequired,
              "The CA that Redis's certificate comes from (PEM).");
}

void AddCa(Schema& schema, CaSettings& s) {
  schema.Path("ca.folder", &s.folder, kOptional,
              "Folder of the issuing CAs; empty: this server issues no certificates.");
  schema.Path("ca.passphrase_file", &s.passphrase_file, kOptional,
              "File with the passphrase of their keys, mode 0600.");
  schema.Duration("ca.crl_life_ms", &s.crl_life, milliseconds(10'000), std::chrono::hours(24 * 30),
                  "From a CRL to the time when the next one is due; a new one comes after a "
                  "quarter of it.");
}

void AddWork(Schema& schema, Settings& s) {
  schema.Path("keys.master_key_file", &s.master_key_file, kRequired,
              "Master keys: a line `<version>:<64 hexadecimal digits>` each, mode 0600.");
  schema.Path("keys.index_key_file", &s.index_key_file, kRequired,
              "Key of the keyed hash of numbers: 64 hexadecimal digits, mode 0600.");
  schema.Duration("keys.data_key_max_age_seconds", &s.data_key_max_age, std::chrono::seconds(1),
                  std::chrono::hours(24 * 30), "How long an edge uses one data key.");
  schema.Int(
      "keys.data_key_max_encryptions", &s.data_key_max_encryptions, 3, std::int64_t{1} << 31,
      "Encryptions by one data key, two for each message; an edge changes it at two thirds.");
  schema.Int("identity.bcrypt_cost", &s.bcrypt_cost, 10, 16,
             "Cost of passwords' hashes: each step doubles the time, 12 is about a quarter of a "
             "second.");
  schema.Path("audit.folder", &s.audit_folder, kRequired,
              "Folder for the audit log's signed checkpoints and the key that signs them.");
  schema.Path("migrations_folder", &s.migrations_folder, kRequired,
              "Folder of the migrations that the database must have.");
  schema.Duration("registration_hold_ms", &s.registration_hold, milliseconds(0),
                  milliseconds(10'000), "How long a registration waits for its delivery.");
  schema.Int("attempts_max", &s.attempts_max, 0, 1'000'000,
             "Failed attempts after which a message becomes a dead letter, such as 10000; 0: it is "
             "tried for ever.");
  schema.Duration("reconcile.interval_ms", &s.reconcile_interval, milliseconds(100),
                  std::chrono::hours(1), "Time between two runs of the reconciler.");
  schema.Duration("reconcile.grace_ms", &s.reconcile_grace, milliseconds(0), std::chrono::hours(1),
                  "Age from which a message that the queue does not hold is put there again.");
  schema.Int("retention.keep_hours", &s.retention_hours, 0, 24 * 3660,
             "Hours that a delivered message is kept; 0: for ever.");
  schema.Int("retention.partition_hours", &s.partition_hours, 1, 24,
             "Hours of one partition of the delivered messages: 24, or 1 at a high rate.");
  schema.Duration("drain_timeout_ms", &s.drain_timeout, milliseconds(0), std::chrono::minutes(10),
                  "Longest time to finish calls in hand at a stop.");
}

}  // namespace

Schema MakeSchema(Settings& settings) {
  Schema schema;
  AddProcess(schema, settings);
  AddDatabase(schema, settings.database);
  AddRedis(schema, settings.redis);
  AddCa(schema, settings.ca);
  AddWork(schema, settings);
  return schema;
}

}  // namespace postern::server
