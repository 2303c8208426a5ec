#pragma once

#include <string>

#include "services/common/config/config.h"
#include "services/common/log/log.h"

namespace postern::app {

// Reads a program's configuration again, as SIGHUP asks for: takes the log level, and calls `take`
// with the settings for what else the program changes while it runs. A file that is unusable, or
// one value of it, changes nothing. Logs what came of it. `Settings` has `log_level`.
template <typename Settings, typename Take>
void Reload(const std::string& path, config::Schema (*make_schema)(Settings&), Take take) {
  Settings fresh;
  absl::Status status = make_schema(fresh).Load(path);
  if (status.ok()) status = take(static_cast<const Settings&>(fresh));
  if (!status.ok()) {
    log::Warn("configuration_not_taken", "reason", status.message());
    return;
  }
  log::SetLevel(fresh.log_level);
  log::Info("configuration_taken", "file", path);
}

// For a program that changes nothing but its log level.
template <typename Settings>
void Reload(const std::string& path, config::Schema (*make_schema)(Settings&)) {
  Reload(path, make_schema, [](const Settings&) { return absl::OkStatus(); });
}

}  // namespace postern::app
