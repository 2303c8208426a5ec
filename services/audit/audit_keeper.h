#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "services/audit/checkpoint_file.h"
#include "services/audit/refusal_log.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"

namespace postern::audit {

// What the log needs from time to time, once a second: refusals become rows, and a log that has
// grown gets a signed checkpoint. Start once, Stop from any thread.
class AuditKeeper {
 public:
  struct Settings {
    db::Settings database;
    std::string folder;  // See CheckpointFile.
    std::string server_name;
  };
  AuditKeeper(Settings settings, metrics::Registry& metrics);
  ~AuditKeeper();
  // Opens the folder and starts the thread.
  absl::Status Start();
  // Writes what is left. Idempotent.
  void Stop();

  // Where refusals go.
  RefusalLog& refusals() { return refusals_; }

 private:
  void Work(db::Connection& connection);
  absl::Status WriteRefusals(db::Connection& connection);
  absl::Status WriteCheckpoint(db::Connection& connection);
  void Warn(const absl::Status& status);

  const Settings settings_;
  prometheus::Gauge& rows_;
  prometheus::Gauge& checkpoint_rows_;
  prometheus::Gauge& broken_;
  log::RateLimit warn_limit_{10'000};
  RefusalLog refusals_;
  std::unique_ptr<CheckpointFile> checkpoints_;
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::audit
