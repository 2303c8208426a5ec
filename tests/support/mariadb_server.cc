#include "tests/support/mariadb_server.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "services/common/base/strings.h"
#include "services/common/db/migrations.h"
#include "tests/support/free_port.h"

namespace postern::test {
namespace {

constexpr int kStartAttempts = 5;
// Tests run in the project's folder.
constexpr char kMigrationsFolder[] = "deployment/migrations";

// Run by the server at each start. Backslashes keep the underscore from standing for any character.
constexpr char kAccounts[] =
    "CREATE USER IF NOT EXISTS postern_server@'%' IDENTIFIED BY 'postern_server-password';\n"
    "GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON `postern\\_%`.* TO postern_server@'%';\n"
    "CREATE USER IF NOT EXISTS postern_migrator@'%' IDENTIFIED BY 'postern_migrator-password';\n"
    "GRANT ALL PRIVILEGES ON `postern\\_%`.* TO postern_migrator@'%';\n";

// It refuses to run as root by accident; as another user the option only has to name that user.
std::string UserOption() {
  const passwd* const user = ::getpwuid(::geteuid());
  return StrCat("--user=", user != nullptr ? user->pw_name : "root");
}

}  // namespace

MariaDbServer::MariaDbServer(std::string folder, tls::Files files,
                             std::vector<std::string> arguments, Tls tls)
    : folder_(std::move(folder)),
      files_(std::move(files)),
      arguments_(std::move(arguments)),
      tls_(tls),
      process_(folder_ + "/mariadb.log", "ready for connections") {}

absl::StatusOr<std::unique_ptr<MariaDbServer>> MariaDbServer::Start(
    const tls::Files& files, std::vector<std::string> arguments, Tls tls) {
  std::string folder = (std::filesystem::temp_directory_path() / "postern-mariadb-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return absl::InternalError("mkdtemp failed");
  std::unique_ptr<MariaDbServer> server(
      new MariaDbServer(folder, files, std::move(arguments), tls));
  absl::Status status = server->Install();
  if (status.ok()) status = server->StartOnFreePort();
  if (!status.ok()) return status;
  return server;
}

MariaDbServer::~MariaDbServer() {
  process_.Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status MariaDbServer::Install() {
  std::ofstream(folder_ + "/accounts.sql") << kAccounts;
  std::filesystem::create_directory(folder_ + "/tmp");
  const pid_t pid =
      Spawn({"mariadb-install-db", "--no-defaults", StrCat("--datadir=", folder_, "/data"),
             "--auth-root-authentication-method=normal", "--skip-test-db",
             "--innodb-log-file-size=8M", StrCat("--tmpdir=", folder_, "/tmp")},
            folder_ + "/install.log");
  int result = -1;
  if (pid < 0 || ::waitpid(pid, &result, 0) != pid || result != 0) {
    return absl::InternalError(
        StrCat("mariadb-install-db failed: ", ReadText(folder_ + "/install.log")));
  }
  return absl::OkStatus();
}

absl::Status MariaDbServer::StartOnFreePort() {
  absl::Status status;
  // Another process may take the port between the choice and the bind.
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    port_ = FreePort();
    status = process_.Launch(Arguments());
    if (status.ok()) return status;
  }
  return status;
}

std::vector<std::string> MariaDbServer::Arguments() const {
  std::vector<std::string> arguments{
      "mariadbd",
      "--no-defaults",
      StrCat("--datadir=", folder_, "/data"),
      // Not /tmp: a MariaDB that starts takes away the temporary tables that it finds, others' too.
      StrCat("--tmpdir=", folder_, "/tmp"),
      StrCat("--socket=", folder_, "/socket"),
      StrCat("--pid-file=", folder_, "/pid"),
      StrCat("--port=", port_),
      StrCat("--init-file=", folder_, "/accounts.sql"),
      "--bind-address=127.0.0.1",
      "--skip-log-bin",
      "--skip-name-resolve",
      "--performance-schema=OFF",
      "--max-connections=50",
      "--table-open-cache=200",
      UserOption(),
      "--innodb-flush-log-at-trx-commit=0",
      "--innodb-buffer-pool-size=16M",
      "--character-set-server=utf8mb4",
      "--collation-server=utf8mb4_bin",
  };
  if (tls_ == Tls::kOn) {
    arguments.push_back(StrCat("--ssl-cert=", files_.certificate));
    arguments.push_back(StrCat("--ssl-key=", files_.key));
    arguments.push_back(StrCat("--ssl-ca=", files_.trust));
    arguments.push_back("--require-secure-transport=ON");
  } else {
    arguments.push_back("--skip-ssl");
  }
  arguments.insert(arguments.end(), arguments_.begin(), arguments_.end());
  return arguments;
}

absl::StatusOr<std::string> MariaDbServer::CreateSchema() {
  absl::StatusOr<std::unique_ptr<db::Connection>> connection =
      db::Connection::Open(SettingsFor("postern_migrator", ""));
  if (!connection.ok()) return connection.status();
  const std::string name = StrCat("postern_", ++schemas_);
  const absl::Status status =
      (*connection)->ExecuteScriptStatement(StrCat("CREATE DATABASE ", name));
  if (!status.ok()) return status;
  return name;
}

absl::StatusOr<std::string> MariaDbServer::CreateMigratedSchema() {
  absl::StatusOr<std::string> schema = CreateSchema();
  if (!schema.ok()) return schema;
  const absl::StatusOr<std::vector<db::Migration>> migrations =
      db::ReadMigrations(kMigrationsFolder);
  if (!migrations.ok()) return migrations.status();
  absl::StatusOr<std::unique_ptr<db::Connection>> connection =
      db::Connection::Open(SettingsFor("postern_migrator", *schema));
  if (!connection.ok()) return connection.status();
  const absl::StatusOr<int> ran = db::Migrate(**connection, *migrations);
  if (!ran.ok()) return ran.status();
  return schema;
}

db::Settings MariaDbServer::SettingsFor(const std::string& user, const std::string& schema) const {
  db::Settings settings;
  settings.port = port_;
  settings.user = user;
  settings.password = user + "-password";
  settings.schema = schema;
  settings.ca_file = files_.trust;
  return settings;
}

absl::Status MariaDbServer::StartAgain() {
  absl::Status status;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    status = process_.Launch(Arguments());
    if (status.ok()) return status;
  }
  return status;
}

}  // namespace postern::test
