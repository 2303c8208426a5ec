#include "services/server/startup_checks.h"

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "services/common/base/time.h"
#include "services/common/db/migrations.h"
#include "services/common/log/log.h"
#include "services/server/limits.h"

namespace postern::server {
namespace {

absl::StatusOr<std::unique_ptr<db::Connection>> AwaitDatabase(const db::Settings& settings) {
  const Deadline deadline = Deadline::After(kDatabaseStartWait);
  log::RateLimit warn_limit(2'000);
  while (true) {
    auto connection = db::Connection::Open(settings);
    if (connection.ok() || connection.status().code() != absl::StatusCode::kUnavailable ||
        deadline.Expired()) {
      return connection;
    }
    if (warn_limit.Allow()) {
      log::Warn("database_not_ready", "error", connection.status().ToString());
    }
    std::this_thread::sleep_for(kDatabaseStartRetry);
  }
}

}  // namespace

absl::Status CheckDatabase(const db::Settings& settings, const std::string& migrations_folder) {
  const auto migrations = db::ReadMigrations(migrations_folder);
  if (!migrations.ok()) return migrations.status();
  auto connection = AwaitDatabase(settings);
  if (!connection.ok()) return connection.status();
  const auto applied = db::ReadAppliedMigrations(**connection);
  if (!applied.ok()) return applied.status();
  return db::ValidateMigrations(*migrations, *applied);
}

}  // namespace postern::server
