#include "services/ctl/context.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <utility>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/credentials.h"
#include "services/common/tls/identity.h"

namespace postern::ctl {
namespace {

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool TerminalTakesColour() {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return !dumb && !IsSet("NO_COLOR") && ::isatty(STDOUT_FILENO) == 1 &&
         ::isatty(STDERR_FILENO) == 1;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const Config& config) {
  const absl::Status own =
      tls::CheckOwnCertificate(config.mesh.certificate, tls::Role::kOperator, config.trust_domain);
  if (!own.ok()) return own;
  rpc::ChannelSettings settings;
  settings.target = config.server_target;
  settings.files = config.mesh;
  settings.trust_domain = config.trust_domain;
  return rpc::Channel(settings);
}

// The first of the keys that a command needs and that has no value.
absl::Status RequireKeys(std::initializer_list<std::pair<const char*, const std::string*>> keys) {
  for (const auto& [key, value] : keys) {
    if (value->empty()) {
      return absl::FailedPreconditionError(StrCat("the configuration does not set ", key));
    }
  }
  return absl::OkStatus();
}

}  // namespace

World SystemWorld() { return {std::cout, std::cerr, TerminalTakesColour(), OpenChannel}; }

std::string Context::Paint(std::string_view text, Colour colour) const {
  if (!world_.colour) return std::string(text);
  const char* code = colour == Colour::kRed ? "31" : colour == Colour::kYellow ? "33" : "32";
  return StrCat("\033[", code, "m", text, "\033[0m");
}

absl::StatusOr<const Config*> Context::LoadConfiguration() {
  if (!config_) {
    absl::StatusOr<Config> config = LoadConfig(options_.config_path);
    if (!config.ok()) {
      SetFix("Name the file with --config or POSTERNCTL_CONFIG, and correct what is named above.");
      return config.status();
    }
    config_ = *std::move(config);
  }
  return &*config_;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Context::Channel() {
  if (channel_) return channel_;
  const absl::StatusOr<const Config*> config = LoadConfiguration();
  if (!config.ok()) return config.status();
  const Config& settings = **config;
  const absl::Status complete = RequireKeys({{"server.target", &settings.server_target},
                                             {"mesh.certificate_file", &settings.mesh.certificate},
                                             {"mesh.key_file", &settings.mesh.key},
                                             {"mesh.trust_file", &settings.mesh.trust}});
  if (!complete.ok()) return complete;
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = world_.open_channel(settings);
  if (!channel.ok()) return absl::FailedPreconditionError(channel.status().message());
  channel_ = *channel;
  return channel_;
}

std::unique_ptr<grpc::ClientContext> Context::Call() const {
  auto call = std::make_unique<grpc::ClientContext>();
  call->set_deadline(std::chrono::system_clock::now() + timeout());
  return call;
}

absl::StatusOr<std::unique_ptr<db::Connection>> Context::Database(std::chrono::seconds io_timeout) {
  const absl::StatusOr<const Config*> config = LoadConfiguration();
  if (!config.ok()) return config.status();
  const Config& settings = **config;
  const absl::Status complete = RequireKeys({{"database.user", &settings.database.user},
                                             {"database.schema", &settings.database.schema},
                                             {"database.ca_file", &settings.database.ca_file},
                                             {"migrations_folder", &settings.migrations_folder}});
  if (!complete.ok()) return complete;
  db::Settings database = settings.database;
  if (!settings.database_password_file.empty()) {
    absl::StatusOr<std::string> password = ReadSecretFile(settings.database_password_file);
    if (!password.ok()) return absl::FailedPreconditionError(password.status().message());
    database.password = *std::move(password);
  }
  database.io_timeout = io_timeout;
  return db::Connection::Open(database);
}

std::chrono::milliseconds Context::timeout() const {
  return std::chrono::milliseconds(static_cast<std::int64_t>(options_.timeout_seconds * 1000));
}

std::string Context::Fix(const absl::Status& status) const {
  if (!fix_.empty()) return fix_;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return "Check what is down, and that the addresses in the configuration are right: "
             "posternctl "
             "doctor";
    case absl::StatusCode::kDeadlineExceeded:
      return "Try again with a larger --timeout; posternctl doctor shows what is slow.";
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return "mesh.certificate_file has to be an operator's certificate of this trust domain, "
             "database.user an account that may do this.";
    case absl::StatusCode::kResourceExhausted:
      return "The server has too much in hand: try again in a moment.";
    default:
      return "";
  }
}

}  // namespace postern::ctl
