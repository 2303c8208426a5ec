#pragma once

#include <chrono>
#include <string>

#include "services/common/config/config.h"

namespace postern::trust {

// What every program of the mesh can be told about trust.
struct Settings {
  bool managed = true;
  std::string state_file;
  std::chrono::milliseconds grace{std::chrono::hours(24)};
};

// The keys `trust.…`, bound to `settings`.
void AddSettings(config::Schema& schema, Settings& settings);

}  // namespace postern::trust
