#include "tests/support/redis_server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "services/common/base/strings.h"
#include "tests/support/free_port.h"

namespace postern::test {
namespace {

constexpr int kStartAttempts = 5;
constexpr std::chrono::seconds kStartLimit{20};
constexpr std::chrono::milliseconds kPollInterval{10};

// Tests run in the repository's root.
constexpr char kProductionSettings[] = "deployment/config/redis.conf";
constexpr char kProductionAccounts[] = "deployment/config/users.acl";

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

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

bool HasExited(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == pid; }

}  // namespace

RedisServer::RedisServer(std::string folder, tls::Files files,
                         std::vector<std::pair<std::string, std::string>> overrides)
    : folder_(std::move(folder)), files_(std::move(files)), overrides_(std::move(overrides)) {}

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
  Kill();
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
       << files_.trust << "\naclfile " << folder_ << "/users.acl\ndir " << folder_ << "\nlogfile "
       << LogPath() << '\n';
  for (const auto& [name, value] : overrides_) file << name << ' ' << value << '\n';
  file.close();
  return file ? absl::OkStatus() : absl::InternalError("cannot write redis.conf");
}

absl::Status RedisServer::Launch() {
  std::ofstream(LogPath(), std::ios::trunc).close();
  const std::string configuration = folder_ + "/redis.conf";
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) {
    pid_ = 0;
    return absl::InternalError("fork failed");
  }
  if (pid_ == 0) {
    // Nothing survives a test that crashes.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execlp("redis-server", "redis-server", configuration.c_str(), nullptr);
    ::_exit(127);
  }
  return WaitUntilReady();
}

absl::Status RedisServer::WaitUntilReady() {
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < limit) {
    if (ReadText(LogPath()).find("Ready to accept connections") != std::string::npos) {
      return absl::OkStatus();
    }
    if (HasExited(pid_)) {
      pid_ = 0;
      return absl::UnavailableError(StrCat("redis-server ended: ", ReadText(LogPath())));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  Kill();
  return absl::DeadlineExceededError("redis-server does not get ready");
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

void RedisServer::End(int signal) {
  if (pid_ == 0) return;
  ::kill(pid_, signal);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisServer::Stop() { End(SIGTERM); }
void RedisServer::Kill() { End(SIGKILL); }

void RedisServer::Pause() {
  if (pid_ != 0) ::kill(pid_, SIGSTOP);
}

void RedisServer::Continue() {
  if (pid_ != 0) ::kill(pid_, SIGCONT);
}

absl::Status RedisServer::StartAgain() {
  if (pid_ != 0) return absl::FailedPreconditionError("it runs");
  absl::Status status;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    status = Launch();
    if (status.ok()) return status;
  }
  return status;
}

}  // namespace postern::test
