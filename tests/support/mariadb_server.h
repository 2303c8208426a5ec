#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"
#include "services/common/tls/settings.h"
#include "tests/support/server_process.h"

namespace postern::test {

// A real MariaDB of a test suite's own: on a free loopback port, in a temporary folder, with TLS
// and the accounts of production
// (`postern_server`: rows; `postern_migrator`: rows and schema; the password of each is
// `<user>-password`). Start one per suite and make a schema per test. Not thread-safe. Stopped and
// removed by the destructor.
class MariaDbServer {
 public:
  enum class Tls { kOn, kOff };

  // `files`: the server's certificate (it must name 127.0.0.1), and the CA of its clients.
  // `arguments` are given to mariadbd last, such as `--innodb-flush-log-at-trx-commit=1`.
  static absl::StatusOr<std::unique_ptr<MariaDbServer>> Start(
      const tls::Files& files, std::vector<std::string> arguments = {}, Tls tls = Tls::kOn);
  ~MariaDbServer();
  MariaDbServer(const MariaDbServer&) = delete;
  MariaDbServer& operator=(const MariaDbServer&) = delete;

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }
  const std::string& folder() const { return folder_; }

  // Makes an empty schema with a name of its own.
  absl::StatusOr<std::string> CreateSchema();
  // The same with the project's migrations applied.
  absl::StatusOr<std::string> CreateMigratedSchema();
  // How to connect as `user`. `schema` may be empty.
  db::Settings SettingsFor(const std::string& user, const std::string& schema) const;

  // See ServerProcess.
  void Stop() { process_.Stop(); }
  void Kill() { process_.Kill(); }
  void Pause() { process_.Pause(); }
  void Continue() { process_.Continue(); }
  // Starts it again after Stop or Kill, on the same port with the same data.
  absl::Status StartAgain();

 private:
  MariaDbServer(std::string folder, tls::Files files, std::vector<std::string> arguments, Tls tls);
  absl::Status Install();
  absl::Status StartOnFreePort();
  std::vector<std::string> Arguments() const;

  const std::string folder_;
  const tls::Files files_;
  const std::vector<std::string> arguments_;
  const Tls tls_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
  int schemas_ = 0;
};

}  // namespace postern::test
