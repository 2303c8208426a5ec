#include "tests/support/redis_server.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "services/common/base/strings.h"
#include "tests/support/free_port.h"

namespace postern::test {
namespace {

constexpr int kStartAttempts = 5;

// Tests run in the repository's root.
constexpr char kProductionSettings[] = "deployment/config/redis.conf";
constexpr char kProductionAccounts[] = "deployment/config/users.acl";

// The accounts of production, with the tests' passwords in place of the hashes.
std::string Accounts() {
  std::string accounts = ReadText(kProductionAccounts);
  for (const std::string user : {"edge", "worker", "server", "admin"}) {
    const std::string hash = absl::StrCat("#@", absl::AsciiStrToUpper(user), "_PASSWORD_SHA256@");
    accounts =
        absl::StrReplaceAll(accounts, {{hash, absl::StrCat(">", RedisServer::Password(user))}});
  }
  return accounts;
}

}  // namespace

RedisServer::RedisServer(std::string folder, tls::Files files,
                         std::vector<std::pair<std::string, std::string>> overrides)
    : folder_(std::move(folder)),
      files_(std::move(files)),
      overrides_(std::move(overrides)),
      process_(folder_ + "/redis.log", "Ready to accept connections") {}

absl::StatusOr<std::unique_ptr<RedisServer>> RedisServer::Start(
    const tls::Files& files, std::vector<std::pair<std::string, std::string>> overrides) {
  std::string folder = (std::filesystem::temp_directory_path() / "postern-redis-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return absl::InternalError("mkdtemp failed");
  std::unique_ptr<RedisServer> server(new RedisServer(folder, files, std::move(overrides)));
  const absl::Status status = server->StartOnFreePort();
  if (!status.ok()) return status;
  return server;
}

RedisServer::~RedisServer() {
  process_.Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status RedisServer::StartOnFreePort() {
  std::ofstream(folder_ + "/users.acl") << Accounts();
  absl::Status status;
  // Another process may take the port between the choice and the bind.
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    port_ = FreePort();
    status = WriteConfiguration();
    if (status.ok()) status = Launch();
    if (status.ok()) return status;
  }
  return status;
}

absl::Status RedisServer::WriteConfiguration() const {
  const std::string port = std::to_string(port_);
  const std::string production = std::filesystem::absolute(kProductionSettings).string();
  std::ofstream file(folder_ + "/redis.conf");
  // What comes later wins.
  file << "include " << production << "\nport 0\ntls-port " << port << "\ntls-cert-file "
       << files_.certificate << "\ntls-key-file " << files_.key << "\ntls-ca-cert-file "
       << files_.trust << "\naclfile " << folder_ << "/users.acl\ndir " << folder_
       << "\nlogfile \"\"\n";
  for (const auto& [name, value] : overrides_) file << name << ' ' << value << '\n';
  file.close();
  return file ? absl::OkStatus() : absl::InternalError("cannot write redis.conf");
}

absl::Status RedisServer::Launch() {
  return process_.Launch({"redis-server", folder_ + "/redis.conf"});
}

redis::Settings RedisServer::SettingsFor(const std::string& user,
                                         std::shared_ptr<tls::ContextSource> tls) const {
  redis::Settings settings;
  settings.port = port_;
  settings.user = user;
  settings.password = Password(user);
  settings.client_name = user;
  settings.tls = std::move(tls);
  return settings;
}

absl::Status RedisServer::StartAgain() {
  absl::Status status;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    status = Launch();
    if (status.ok()) return status;
  }
  return status;
}

}  // namespace postern::test
