#include "services/common/db/migrations.h"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/hash.h"
#include "services/common/log/log.h"

namespace postern::db {
namespace {

constexpr char kCreateHistory[] =
    "CREATE TABLE IF NOT EXISTS schema_history ("
    " version BIGINT NOT NULL PRIMARY KEY,"
    " name VARCHAR(200) NOT NULL,"
    " sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
    " applied_at_us BIGINT NOT NULL,"
    " duration_ms BIGINT NOT NULL,"
    " success TINYINT NOT NULL"
    ") ENGINE=InnoDB";
constexpr char kHistoryExists[] =
    "SELECT COUNT(*) FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'schema_history'";
constexpr char kReadHistory[] =
    "SELECT version, name, sha256, applied_at_us, duration_ms, success FROM schema_history"
    " ORDER BY version";
constexpr char kBeginRecord[] = "INSERT INTO schema_history VALUES (?, ?, ?, ?, 0, 0)";
constexpr char kEndRecord[] =
    "UPDATE schema_history SET success = 1, duration_ms = ? WHERE version = ?";
// Locks are of the whole server: the schema is part of the name.
constexpr char kLock[] = "SELECT GET_LOCK(CONCAT('postern.migrate.', DATABASE()), 10)";
constexpr char kUnlock[] = "SELECT RELEASE_LOCK(CONCAT('postern.migrate.', DATABASE()))";

std::string FileName(std::int64_t version, const std::string& name) {
  std::string digits = StrCat(version);
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return StrCat("V", digits, "__", name, ".sql");
}

absl::Status Run(Connection& connection, const Migration& migration) {
  const std::int64_t started_us = NowMicros();
  // DDL commits by itself: the record comes first, so that a migration that died half-way is seen.
  absl::StatusOr<std::int64_t> recorded =
      connection.Execute(kBeginRecord, {migration.version, std::string_view(migration.name),
                                        std::string_view(migration.sha256_hex), started_us});
  if (!recorded.ok()) return recorded.status();
  absl::Status status = connection.ExecuteScriptStatement(migration.sql);
  if (!status.ok()) {
    return absl::Status(
        status.code(), StrCat(FileName(migration.version, migration.name), ": ", status.message()));
  }
  recorded = connection.Execute(kEndRecord, {(NowMicros() - started_us) / 1000, migration.version});
  return recorded.status();
}

// What stands in the way of running the rest of `migrations`.
absl::Status CheckHistory(const std::vector<Migration>& migrations,
                          const std::vector<AppliedMigration>& applied) {
  for (const AppliedMigration& done : applied) {
    const std::string file = FileName(done.version, done.name);
    if (!done.success) {
      return absl::FailedPreconditionError(StrCat(
          file,
          " failed before: repair what it left, delete its row from schema_history, run again"));
    }
    const auto known = std::find_if(migrations.begin(), migrations.end(),
                                    [&](const Migration& m) { return m.version == done.version; });
    if (known == migrations.end()) {
      return absl::FailedPreconditionError(
          StrCat("the database is newer than this program: it has ", file));
    }
    if (known->sha256_hex != done.sha256_hex) {
      return absl::FailedPreconditionError(
          StrCat(FileName(known->version, known->name), " was changed after it was applied"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Migration>> ReadMigrations(const std::string& folder) {
  static const std::regex kName("V([0-9]{4,})__([a-z0-9_]+)\\.sql");
  std::vector<Migration> migrations;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) return absl::NotFoundError(StrCat(folder, ": ", error.message()));
  for (const std::filesystem::directory_entry& entry : entries) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(".sql")) continue;
    std::smatch match;
    Migration migration;
    if (!std::regex_match(file, match, kName) ||
        !absl::SimpleAtoi(match[1].str(), &migration.version)) {
      return absl::InvalidArgumentError(
          StrCat(file, ": a migration is named V0001__what_it_does.sql"));
    }
    absl::StatusOr<std::string> text = ReadFile(entry.path().string());
    if (!text.ok()) return text.status();
    migration.name = match[2].str();
    migration.sha256_hex = HexEncode(crypto::Sha256(*text));
    migration.sql = *std::move(text);
    migrations.push_back(std::move(migration));
  }
  std::sort(migrations.begin(), migrations.end(),
            [](const Migration& a, const Migration& b) { return a.version < b.version; });
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    if (migrations[i].version == static_cast<std::int64_t>(i + 1)) continue;
    return absl::InvalidArgumentError(
        StrCat(FileName(migrations[i].version, migrations[i].name),
               ": versions count from 1 without gaps and doubles; expected ", i + 1));
  }
  return migrations;
}

absl::StatusOr<std::vector<AppliedMigration>> ReadAppliedMigrations(Connection& connection) {
  bool exists = false;
  absl::Status status = connection.Query(kHistoryExists, {}, [&exists](const Row& row) {
    exists = row.Int(0) > 0;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  std::vector<AppliedMigration> applied;
  if (!exists) return applied;
  status = connection.Query(kReadHistory, {}, [&applied](const Row& row) {
    AppliedMigration migration;
    migration.version = row.Int(0);
    migration.name = row.String(1);
    migration.sha256_hex = row.String(2);
    migration.applied_at_us = row.Int(3);
    migration.duration_ms = row.Int(4);
    migration.success = row.Int(5) != 0;
    applied.push_back(std::move(migration));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return applied;
}

absl::StatusOr<int> Migrate(Connection& connection, const std::vector<Migration>& migrations) {
  bool locked = false;
  absl::Status status = connection.Query(kLock, {}, [&locked](const Row& row) {
    locked = !row.IsNull(0) && row.Int(0) == 1;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (!locked) return absl::AbortedError("another migration is running");
  const absl::Cleanup unlock = [&connection] {
    const absl::Status released =
        connection.Query(kUnlock, {}, [](const Row&) { return absl::OkStatus(); });
    if (!released.ok()) log::Warn("migration_unlock_failed", "error", released.ToString());
  };

  status = connection.ExecuteScriptStatement(kCreateHistory);
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<AppliedMigration>> applied = ReadAppliedMigrations(connection);
  if (!applied.ok()) return applied.status();
  status = CheckHistory(migrations, *applied);
  if (!status.ok()) return status;

  int ran = 0;
  for (std::size_t i = applied->size(); i < migrations.size(); ++i) {
    status = Run(connection, migrations[i]);
    if (!status.ok()) return status;
    ++ran;
  }
  return ran;
}

absl::Status ValidateMigrations(const std::vector<Migration>& migrations,
                                const std::vector<AppliedMigration>& applied) {
  absl::Status status = CheckHistory(migrations, applied);
  if (!status.ok()) return status;
  if (applied.size() < migrations.size()) {
    const Migration& missing = migrations[applied.size()];
    return absl::FailedPreconditionError(
        StrCat(migrations.size() - applied.size(), " migrations are not applied, the first is ",
               FileName(missing.version, missing.name), ": run `posternctl db migrate`"));
  }
  return absl::OkStatus();
}

}  // namespace postern::db
