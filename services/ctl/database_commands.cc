#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/db/migrations.h"
#include "services/ctl/command.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

// One migration, as the folder and the database know it.
struct MigrationState {
  std::int64_t version = 0;
  std::string name;
  std::string state;  // applied, pending, failed, changed, unknown (not in the folder).
  std::int64_t applied_at_us = 0;
  std::int64_t duration_ms = 0;
};

// What the database commands work on.
struct Schema {
  std::unique_ptr<db::Connection> connection;
  std::vector<db::Migration> migrations;
  std::vector<db::AppliedMigration> applied;
};

absl::StatusOr<Schema> OpenSchema(Context& context, std::chrono::seconds io_timeout) {
  Schema schema;
  auto connection = context.Database(io_timeout);
  if (!connection.ok()) return connection.status();
  schema.connection = *std::move(connection);
  auto migrations = db::ReadMigrations((*context.LoadConfiguration())->migrations_folder);
  if (!migrations.ok()) return absl::FailedPreconditionError(migrations.status().message());
  schema.migrations = *std::move(migrations);
  auto applied = db::ReadAppliedMigrations(*schema.connection);
  if (!applied.ok()) return applied.status();
  schema.applied = *std::move(applied);
  return schema;
}

std::chrono::seconds StatementTimeout(const Context& context) {
  return std::max(std::chrono::seconds(1),
                  std::chrono::duration_cast<std::chrono::seconds>(context.timeout()));
}

std::vector<MigrationState> Compare(const Schema& schema) {
  std::map<std::int64_t, MigrationState> states;
  for (const db::Migration& migration : schema.migrations) {
    states[migration.version] = {migration.version, migration.name, "pending", 0, 0};
  }
  for (const db::AppliedMigration& done : schema.applied) {
    const auto known =
        std::find_if(schema.migrations.begin(), schema.migrations.end(),
                     [&done](const db::Migration& m) { return m.version == done.version; });
    const char* state = !done.success                          ? "failed"
                        : known == schema.migrations.end()     ? "unknown"
                        : known->sha256_hex != done.sha256_hex ? "changed"
                                                               : "applied";
    states[done.version] = {done.version, done.name, state, done.applied_at_us, done.duration_ms};
  }
  std::vector<MigrationState> list;
  for (auto& [version, state] : states) list.push_back(std::move(state));
  return list;
}

void PrintStates(Context& context, const std::vector<MigrationState>& states) {
  if (!context.options().json()) {
    Table table({"VERSION", "NAME", "STATE", "APPLIED", "TOOK_MS"});
    for (const MigrationState& state : states) {
      const bool ran = state.applied_at_us != 0;
      table.Add({StrCat(state.version), state.name, state.state, TimeText(state.applied_at_us),
                 ran ? StrCat(state.duration_ms) : "-"});
    }
    table.Print(context.out(), !context.options().no_headers);
    return;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const MigrationState& state : states) {
    nlohmann::ordered_json item;
    item["version"] = state.version;
    item["name"] = state.name;
    item["state"] = state.state;
    item["applied_at_us"] = state.applied_at_us;
    item["duration_ms"] = state.duration_ms;
    list.push_back(std::move(item));
  }
  nlohmann::ordered_json document;
  document["migrations"] = std::move(list);
  context.out() << document.dump(2) << '\n';
}

absl::Status Status(Context& context) {
  const auto schema = OpenSchema(context, StatementTimeout(context));
  if (!schema.ok()) return schema.status();
  PrintStates(context, Compare(*schema));
  return absl::OkStatus();
}

absl::Status Validate(Context& context) {
  const auto schema = OpenSchema(context, StatementTimeout(context));
  if (!schema.ok()) return schema.status();
  const absl::Status valid = db::ValidateMigrations(schema->migrations, schema->applied);
  if (context.options().json()) {
    nlohmann::ordered_json document;
    document["valid"] = valid.ok();
    document["detail"] = std::string(ToStd(valid.message()));
    context.out() << document.dump(2) << '\n';
  } else if (valid.ok()) {
    context.out() << "The schema is as this version needs it: " << schema->migrations.size()
                  << " migrations applied.\n";
  }
  return valid;
}

absl::Status Migrate(Context& context, bool dry_run) {
  auto schema = OpenSchema(context, kMigrationTimeout);
  if (!schema.ok()) return schema.status();
  if (dry_run) {
    std::vector<MigrationState> pending = Compare(*schema);
    std::erase_if(pending, [](const MigrationState& state) { return state.state == "applied"; });
    PrintStates(context, pending);
    context.err() << "Nothing was changed.\n";
    return absl::OkStatus();
  }
  const absl::StatusOr<int> ran = db::Migrate(*schema->connection, schema->migrations);
  if (!ran.ok()) {
    context.SetFix("See how far it went: posternctl db status");
    return ran.status();
  }
  if (context.options().json()) {
    nlohmann::ordered_json document;
    document["applied"] = *ran;
    document["version"] = schema->migrations.size();
    context.out() << document.dump(2) << '\n';
  } else {
    context.out() << *ran << " migrations applied; the schema is at version "
                  << schema->migrations.size() << ".\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddDatabaseCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("db", "The database's schema. Connects to the database itself.");
  auto dry_run = std::make_shared<bool>(false);
  CLI::App* const migrate =
      tree.Verb(noun, "migrate", "Applies the migrations that are missing.", "migrate the database",
                [&context, dry_run] { return Migrate(context, *dry_run); });
  migrate->add_flag("--dry-run", *dry_run, "Only show which would run");
  tree.Verb(noun, "status", "Shows each migration and whether it is applied.",
            "read the state of the database", [&context] { return Status(context); });
  tree.Verb(noun, "validate", "Checks that exactly the known migrations are applied.",
            "validate the database", [&context] { return Validate(context); });
}

}  // namespace postern::ctl
