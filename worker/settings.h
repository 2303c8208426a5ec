#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "services/common/config/config.h"
#include "services/common/tls/settings.h"
#include "services/common/trust/settings.h"

namespace postern::worker {

// The worker's configuration.
struct Settings {
  std::string name = "worker-1";
  std::string trust_domain;
  std::string log_level = "info";
  std::string log_folder;
  std::string ops_address = "127.0.0.1";
  std::int64_t ops_port = 9100;
  tls::Files mesh;
  trust::Settings trust;
  std::string redis_host = "127.0.0.1";
  std::int64_t redis_port = 6379;
  std::string redis_user = "worker";
  std::string redis_password_file;
  std::string redis_trust_file;
  std::string server_target;
  std::chrono::milliseconds retry_interval{30'000};
  std::int64_t in_flight_max = 8192;
  std::int64_t batch_max = 1000;
  std::chrono::milliseconds read_interval{30};
  std::chrono::milliseconds drain_timeout{30'000};
};

// The keys of the configuration, bound to `settings`.
config::Schema MakeSchema(Settings& settings);

}  // namespace postern::worker
