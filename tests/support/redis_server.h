#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/redis/connection.h"
#include "services/common/tls/settings.h"
#include "tests/support/server_process.h"

namespace postern::test {

// A real Redis of a test's own: TLS only, on a free loopback port, in a temporary folder, with the
// settings and the accounts of production. Accounts: `edge`, `worker`, `server` with their rights,
// `admin` with all; the password of each is
// `<user>-password`. Not thread-safe. Stopped and removed by the destructor.
class RedisServer {
 public:
  // `files`: the server's certificate, and the CA that clients' certificates come from. `overrides`
  // change or add settings, such as
  // {"appendfsync", "everysec"}.
  static absl::StatusOr<std::unique_ptr<RedisServer>> Start(
      const tls::Files& files, std::vector<std::pair<std::string, std::string>> overrides = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }
  const std::string& folder() const { return folder_; }
  static std::string Password(const std::string& user) { return user + "-password"; }
  // How to connect as `user`; `tls` is the client's context.
  redis::Settings SettingsFor(const std::string& user,
                              std::shared_ptr<tls::ContextSource> tls) const;

  // See ServerProcess.
  void Stop() { process_.Stop(); }
  void Kill() { process_.Kill(); }
  void Pause() { process_.Pause(); }
  void Continue() { process_.Continue(); }
  // Starts it again after Stop or Kill, on the same port with the same data.
  absl::Status StartAgain();

 private:
  RedisServer(std::string folder, tls::Files files,
              std::vector<std::pair<std::string, std::string>> overrides);
  absl::Status StartOnFreePort();
  absl::Status Launch();
  absl::Status WriteConfiguration() const;

  const std::string folder_;
  const tls::Files files_;
  const std::vector<std::pair<std::string, std::string>> overrides_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

}  // namespace postern::test
