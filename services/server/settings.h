#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "services/common/config/config.h"
#include "services/common/tls/settings.h"
#include "services/common/trust/settings.h"

namespace postern::server {

// Where the register lives.
struct DatabaseSettings {
  std::string host = "127.0.0.1";
  std::int64_t port = 3306;
  std::string user = "postern_server";
  std::string password_file;
  std::string schema = "postern";
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::int64_t connections = 4;
  std::chrono::milliseconds commit_interval{40};
};

// Where the queue lives.
struct RedisSettings {
  std::string host = "127.0.0.1";
  std::int64_t port = 6379;
  std::string user = "server";
  std::string password_file;
  std::string trust_file;
};

// The certificate authority that this server holds, if any.
struct CaSettings {
  std::string folder;
  std::string passphrase_file;
  std::chrono::milliseconds crl_life{std::chrono::hours(24)};
};

// The main server's configuration.
struct Settings {
  std::string name = "server-1";
  std::string trust_domain;
  std::string log_level = "info";
  std::string log_folder;
  std::string ops_address = "127.0.0.1";
  std::int64_t ops_port = 9102;
  std::string listen_address = "127.0.0.1";
  std::int64_t listen_port = 9443;
  tls::Files mesh;
  trust::Settings trust;
  std::string renewal_target;
  DatabaseSettings database;
  RedisSettings redis;
  CaSettings ca;
  std::string master_key_file;
  std::string index_key_file;
  std::chrono::milliseconds data_key_max_age{std::chrono::hours(24)};
  std::int64_t data_key_max_encryptions = std::int64_t{1} << 30;
  std::string audit_folder;
  std::int64_t bcrypt_cost = 12;
  std::string migrations_folder;
  std::chrono::milliseconds registration_hold{1000};
  std::int64_t attempts_max = 0;
  std::chrono::milliseconds reconcile_interval{5'000};
  std::chrono::milliseconds reconcile_grace{10'000};
  std::int64_t retention_hours = 0;
  std::int64_t partition_hours = 24;
  std::chrono::milliseconds drain_timeout{10'000};
};

// The keys of the configuration, bound to `settings`.
config::Schema MakeSchema(Settings& settings);

}  // namespace postern::server
