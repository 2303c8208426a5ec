#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "services/common/config/config.h"
#include "services/common/tls/settings.h"
#include "services/common/trust/settings.h"

namespace postern::portal {

// The portal's configuration.
struct Settings {
  std::string name = "portal-1";
  std::string trust_domain;
  std::string log_level = "info";
  std::string log_folder;
  std::string ops_address = "127.0.0.1";
  std::int64_t ops_port = 9103;
  std::string listen_address = "0.0.0.0";
  std::int64_t listen_port = 8444;
  tls::Files listen;  // Without `trust`: browsers show no certificate.
  tls::Files mesh;
  trust::Settings trust;
  std::string server_target;
  std::string session_key_file;
  std::string templates_folder = "/usr/share/postern/portal/templates";
  std::string assets_folder = "/usr/share/postern/portal/assets";
  std::int64_t io_threads = 1;
  std::int64_t connections_max = 2'000;
  std::int64_t requests_max = 256;
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds drain_timeout{10'000};
};

// The keys of the configuration, bound to `settings`.
config::Schema MakeSchema(Settings& settings);

}  // namespace postern::portal
