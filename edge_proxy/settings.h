#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "services/common/config/config.h"
#include "services/common/tls/settings.h"
#include "services/common/trust/settings.h"

namespace postern::edge {

// The edge's configuration.
struct Settings {
  std::string name = "edge-1";
  std::string trust_domain;
  std::string log_level = "info";
  std::string log_folder;
  std::string ops_address = "127.0.0.1";
  std::int64_t ops_port = 9101;
  std::string docs_folder;
  std::string listen_address = "0.0.0.0";
  std::int64_t listen_port = 8443;
  tls::Files listen;
  std::string domains_folder;
  std::int64_t enrolment_port = 0;
  tls::Files mesh;
  trust::Settings trust;
  std::string server_target;
  std::string redis_host = "127.0.0.1";
  std::int64_t redis_port = 6379;
  std::string redis_user = "edge";
  std::string redis_password_file;
  std::string redis_trust_file;
  std::int64_t redis_flush_interval_us = 2000;
  std::int64_t io_threads = 1;
  std::int64_t connections_max = 16'000;
  std::int64_t connections_per_client = 1'000;
  std::int64_t requests_max = 4'096;
  std::int64_t requests_per_client = 1'024;
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{20'000};
  std::chrono::milliseconds write_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds linger{3'000};
  std::string directory_cache_file;
  std::int64_t messages_per_second = 0;
  std::int64_t burst = 0;
  std::int64_t messages_per_day = 0;
  std::int64_t idempotency_keys_per_client = 200'000;
  std::int64_t idempotency_keys_per_shard = 250'000;
  std::int64_t registration_buffer_mib = 64;
  bool allow_unsafe_queue = false;
  std::chrono::milliseconds drain_timeout{30'000};
};

// The keys of the configuration, bound to `settings`.
config::Schema MakeSchema(Settings& settings);

}  // namespace postern::edge
