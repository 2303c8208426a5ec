#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"

namespace postern::db {

// A file `V0001__create_pending.sql`: one statement, plain SQL.
struct Migration {
  std::int64_t version = 0;
  std::string name;  // `create_pending`
  std::string sql;
  std::string sha256_hex;  // Of the file.
};

// What the database holds of a migration.
struct AppliedMigration {
  std::int64_t version = 0;
  std::string name;
  std::string sha256_hex;
  std::int64_t applied_at_us = 0;
  std::int64_t duration_ms = 0;
  bool success = false;
};

// Reads a folder of migrations, by version. InvalidArgument for a name that does not fit, a double
// or missing version, naming it.
absl::StatusOr<std::vector<Migration>> ReadMigrations(const std::string& folder);
// Empty when the table `schema_history` does not exist.
absl::StatusOr<std::vector<AppliedMigration>> ReadAppliedMigrations(Connection& connection);
// Runs what is missing, in order, under a lock (GET_LOCK) so that two runs do not meet; says how
// many ran. FailedPrecondition for a checksum that differs, a failed one from before, or a database
// newer than the folder.
absl::StatusOr<int> Migrate(Connection& connection, const std::vector<Migration>& migrations);
// FailedPrecondition, with the command to run, unless exactly `migrations` are applied.
absl::Status ValidateMigrations(const std::vector<Migration>& migrations,
                                const std::vector<AppliedMigration>& applied);

}  // namespace postern::db
