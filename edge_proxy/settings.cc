#include "edge_proxy/settings.h"

namespace postern::edge {
namespace {

using config::Schema;
using std::chrono::milliseconds;
constexpr auto kRequired = Schema::Presence::kRequired;
constexpr auto kOptional = Schema::Presence::kOptional;

void AddProcess(Schema& schema, Settings& s) {
  schema.String("name", &s.name, kRequired, "Name of this edge, as in its certificate.");
  schema.String("trust_domain", &s.trust_domain, kRequired,
                "SPIFFE trust domain of the mesh and of the clients.");
  schema.Choice("log.level", &s.log_level, {"debug", "info", "warn", "error"},
                "Least severe level that is logged.");
  schema.Path("log.folder", &s.log_folder, kOptional,
              "Folder of log files, beside standard error; empty: none.");
  schema.String("ops.address", &s.ops_address, kRequired, "Address of the operations port.");
  schema.Int("ops.port", &s.ops_port, 0, 65535, "Operations port: metrics and health, plain HTTP.");
  schema.Path("ops.docs_folder", &s.docs_folder, kOptional,
              "Folder of the interface's description, served under /docs/ there; empty: none.");
  schema.Int("io_threads", &s.io_threads, 1, 64,
             "Threads that serve clients, each with a Redis connection of its own.");
  schema.Duration("drain_timeout_ms", &s.drain_timeout, milliseconds(0), std::chrono::minutes(10),
                  "Longest time to finish the requests in hand at a stop.");
}

void AddClientLimits(Schema& schema, Settings& s) {
  schema.Int("listen.connections", &s.connections_max, 1, 1'000'000,
             "Most client connections in all; the process needs as many file descriptors.");
  schema.Int("listen.connections_per_client", &s.connections_per_client, 1, 1'000'000,
             "Most connections of one client.");
  schema.Int("listen.requests", &s.requests_max, 1, 1'000'000,
             "Most requests in hand at one time.");
  schema.Int("listen.requests_per_client", &s.requests_per_client, 1, 1'000'000,
             "Most requests of one client in hand at one time.");
  const auto add = [&](const char* key, milliseconds* value, const char* text) {
    schema.Duration(key, value, milliseconds(100), std::chrono::hours(1), text);
  };
  add("listen.handshake_timeout_ms", &s.handshake_timeout, "Longest TLS handshake.");
  add("listen.header_timeout_ms", &s.header_timeout,
      "Longest time from the first byte of a request to the end of its header.");
  add("listen.body_timeout_ms", &s.body_timeout, "Longest time for a request's body.");
  add("listen.write_timeout_ms", &s.write_timeout, "Longest time for a client to take an answer.");
  schema.Duration("listen.linger_ms", &s.linger, milliseconds(0), std::chrono::minutes(1),
                  "At a stop: how long an idle connection may send its last request.");
  add("listen.idle_timeout_ms", &s.idle_timeout, "Longest time between two requests.");
}

void AddListener(Schema& schema, Settings& s) {
  schema.String("listen.address", &s.listen_address, kRequired, "Address of the REST port.");
  schema.Int("listen.port", &s.listen_port, 0, 65535, "REST port, mutual TLS.");
  schema.Path("listen.certificate_file", &s.listen.certificate, kRequired,
              "Certificate that clients see (PEM, leaf first).");
  schema.Path("listen.key_file", &s.listen.key, kRequired, "Its key (PEM, mode 0600).");
  schema.Path("listen.trust_file", &s.listen.trust, kRequired, "The CA of the clients (PEM).");
  schema.Path("listen.domains_folder", &s.domains_folder, kOptional,
              "Folder with one for each domain that has a certificate of its own; empty: none.");
  schema.Int("listen.enrolment_port", &s.enrolment_port, 0, 65535,
             "Port where who has an enrolment token and no certificate yet gets one; 0: none.");
  AddClientLimits(schema, s);
  schema.Int("clients.messages_per_second", &s.messages_per_second, 0, 1'000'000,
             "Messages a second of a client that has no limit of its own; 0: no limit.");
  schema.Int("clients.burst", &s.burst, 0, 1'000'000,
             "How many of them it may send at once after a pause; 0: those of one second.");
  schema.Int(
      "clients.messages_per_day", &s.messages_per_day, 0, 1'000'000'000'000,
      "Messages a day (UTC), to all edges together, of a client that has no limit of its own; "
      "0: no limit.");
  schema.Int("idempotency.keys_per_client", &s.idempotency_keys_per_client, 1, 1'000'000'000,
             "Most idempotency keys of one client that the queue remembers at one time.");
  schema.Int("idempotency.keys_per_shard", &s.idempotency_keys_per_shard, 1, 1'000'000'000,
             "The same for all clients that share one of the 16 shards of the queue.");
  schema.Path("directory.cache_file", &s.directory_cache_file, kOptional,
              "Where the client directory is kept for a start without the main server.");
}

void AddPeers(Schema& schema, Settings& s) {
  schema.Path("mesh.certificate_file", &s.mesh.certificate, kRequired,
              "This edge's certificate towards Redis and the main server (PEM).");
  schema.Path("mesh.key_file", &s.mesh.key, kRequired, "Its key (PEM, mode 0600).");
  schema.Path("mesh.trust_file", &s.mesh.trust, kRequired, "The CA of the services (PEM).");
  trust::AddSettings(schema, s.trust);
  schema.String("server.target", &s.server_target, kRequired,
                "The main server: host:port, or dns:///name:port for several.");
  schema.Int("registration.buffer_mib", &s.registration_buffer_mib, 1, 4096,
             "Memory for accepted messages that the main server does not know yet.");
  schema.String("redis.host", &s.redis_host, kRequired, "Host of the Redis server.");
  schema.Int("redis.port", &s.redis_port, 1, 65535, "TLS port of the Redis server.");
  schema.String("redis.user", &s.redis_user, kRequired, "Account at Redis.");
  schema.Path("redis.password_file", &s.redis_password_file, kRequired,
              "File with its password, mode 0600.");
  schema.Path("redis.trust_file", &s.redis_trust_file, kRequired,
              "The CA that Redis's certificate comes from (PEM).");
  schema.Int("redis.flush_interval_us", &s.redis_flush_interval_us, 0, 100'000,
             "Least time between two pipelines: what comes meanwhile shares one fsync.");
  schema.Bool("allow_unsafe_queue", &s.allow_unsafe_queue,
              "Accept messages although Redis's settings can lose them. Never in production.");
}

}  // namespace

Schema MakeSchema(Settings& settings) {
  Schema schema;
  AddProcess(schema, settings);
  AddListener(schema, settings);
  AddPeers(schema, settings);
  return schema;
}

}  // namespace postern::edge
