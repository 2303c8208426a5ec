#include "services/server/application.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/clients/client_directory.h"
#include "services/clients/client_service.h"
#include "services/common/app/certificate_watch.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/executor.h"
#include "services/common/exec/bounded_executor.h"
#include "services/common/http/ops_server.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/keys/data_key_store.h"
#include "services/keys/key_file.h"
#include "services/keys/key_service.h"
#include "services/messages/delivery_service.h"
#include "services/messages/message_writer.h"
#include "services/messages/registration_service.h"
#include "services/server/health_monitor.h"
#include "services/server/key_envelope_reader.h"
#include "services/server/limits.h"
#include "services/server/rpc_server.h"
#include "services/server/startup_checks.h"

namespace postern::server {
namespace {

absl::StatusOr<db::Settings> ReadDatabaseSettings(const DatabaseSettings& settings) {
  absl::StatusOr<std::string> password = ReadSecretFile(settings.password_file);
  if (!password.ok()) return password.status();
  db::Settings database;
  database.host = settings.host;
  database.port = static_cast<std::uint16_t>(settings.port);
  database.user = settings.user;
  database.password = *std::move(password);
  database.schema = settings.schema;
  database.ca_file = settings.ca_file;
  database.certificate_file = settings.certificate_file;
  database.key_file = settings.key_file;
  return database;
}

// The highest version: numbers are hashed with one key only.
absl::StatusOr<std::shared_ptr<const crypto::Secret>> ReadIndexKey(const std::string& path) {
  auto keys = keys::ReadKeyFile(path);
  if (!keys.ok()) return keys.status();
  return std::make_shared<const crypto::Secret>(std::move(keys->rbegin()->second));
}

}  // namespace

// In the order of their making; each uses only what stands above it.
struct Application::Parts {
  explicit Parts(Settings s)
      : settings(std::move(s)),
        certificate("mesh", settings.mesh.certificate, metrics),
        rpc(settings.trust_domain, metrics) {}

  absl::Status ReadFiles();
  void MakeKeys();
  absl::Status MakeClients();
  void MakeMessages();
  absl::Status StartOps();
  absl::Status StartRpc();
  bool DatabaseHealthy() const { return database->healthy() && writer->healthy(); }
  std::vector<http::Check> Checks();

  const Settings settings;
  metrics::Registry metrics{"postern-server"};
  app::CertificateWatch certificate;

  db::Settings database_settings;
  std::map<std::uint32_t, crypto::Secret> master_keys;
  std::shared_ptr<const crypto::Secret> index_key;

  std::unique_ptr<db::Executor> database;
  std::unique_ptr<db::Executor> key_database;

  std::shared_ptr<keys::DataKeyStore> data_keys;
  std::unique_ptr<keys::KeyService> key_service;

  std::unique_ptr<clients::ClientDirectory> directory;
  std::unique_ptr<clients::ClientService> client_service;

  std::unique_ptr<messages::MessageWriter> writer;
  std::unique_ptr<exec::BoundedExecutor> openers;
  std::unique_ptr<messages::RegistrationService> registration_service;
  std::unique_ptr<messages::DeliveryService> delivery_service;

  RpcServer rpc;
  std::unique_ptr<http::OpsServer> ops;
  std::unique_ptr<HealthMonitor> health;
};

absl::Status Application::Parts::ReadFiles() {
  auto read_database = ReadDatabaseSettings(settings.database);
  if (!read_database.ok()) return read_database.status();
  database_settings = *std::move(read_database);
  auto read_master_keys = keys::ReadKeyFile(settings.master_key_file);
  if (!read_master_keys.ok()) return read_master_keys.status();
  master_keys = *std::move(read_master_keys);
  auto read_index_key = ReadIndexKey(settings.index_key_file);
  if (!read_index_key.ok()) return read_index_key.status();
  index_key = *std::move(read_index_key);
  return absl::OkStatus();
}

void Application::Parts::MakeKeys() {
  key_database =
      std::make_unique<db::Executor>(database_settings, kKeyConnections, kKeyQueueMax, metrics);
  data_keys = std::make_shared<keys::DataKeyStore>(keys::MasterKeys(std::move(master_keys)),
                                                   *key_database, metrics);
  key_service =
      std::make_unique<keys::KeyService>(*data_keys, keys::DataKeyLimits(), settings.trust_domain);
}

absl::Status Application::Parts::MakeClients() {
  directory = std::make_unique<clients::ClientDirectory>(*database, metrics);
  client_service = std::make_unique<clients::ClientService>(*database, *directory);
  return directory->Start();
}

void Application::Parts::MakeMessages() {
  const messages::EnvelopeReaderFactory readers = MakeEnvelopeReaders(data_keys, index_key);
  messages::MessageWriter::Settings writing;
  writing.database = database_settings;
  writing.server_name = settings.name;
  writing.commit_interval = settings.database.commit_interval;
  writing.registration_hold = settings.registration_hold;
  writer = std::make_unique<messages::MessageWriter>(std::move(writing), readers, metrics);
  openers = std::make_unique<exec::BoundedExecutor>("openers", kOpenerThreads, kOpenerQueueMax);
  registration_service = std::make_unique<messages::RegistrationService>(*writer);
  delivery_service =
      std::make_unique<messages::DeliveryService>(*writer, *openers, readers, metrics);
}

absl::Status Application::Parts::StartOps() {
  ops = std::make_unique<http::OpsServer>(metrics, [this] { return Checks(); });
  return ops->Listen(settings.ops_address, static_cast<std::uint16_t>(settings.ops_port));
}

absl::Status Application::Parts::StartRpc() {
  const absl::Status started = rpc.Start(
      settings.listen_address, static_cast<std::uint16_t>(settings.listen_port), settings.mesh,
      {key_service.get(), client_service.get(), registration_service.get(),
       delivery_service.get()});
  if (!started.ok()) return started;
  health = std::make_unique<HealthMonitor>([this] { return DatabaseHealthy(); },
                                           [this](bool healthy) { rpc.SetServing(healthy); });
  return absl::OkStatus();
}

std::vector<http::Check> Application::Parts::Checks() {
  const bool healthy = DatabaseHealthy();
  http::Check check;
  check.name = "database";
  check.state = healthy ? http::Check::State::kPass : http::Check::State::kFail;
  check.detail = healthy ? "connected" : "not connected";
  return {check, certificate.Check()};
}

Application::Application(Settings settings)
    : parts_(std::make_unique<Parts>(std::move(settings))) {}

Application::~Application() = default;

absl::Status Application::Start() {
  Parts& p = *parts_;
  if (absl::Status s = p.ReadFiles(); !s.ok()) return s;
  if (absl::Status s = CheckDatabase(p.database_settings, p.settings.migrations_folder); !s.ok()) {
    return s;
  }
  p.database = std::make_unique<db::Executor>(
      p.database_settings, static_cast<std::size_t>(p.settings.database.connections),
      kDatabaseQueueMax, p.metrics);
  p.MakeKeys();
  if (absl::Status s = p.MakeClients(); !s.ok()) return s;
  p.MakeMessages();
  if (absl::Status s = p.StartRpc(); !s.ok()) return s;
  if (absl::Status s = p.StartOps(); !s.ok()) return s;
  log::Info("server_started", "name", p.settings.name, "rpc_port", p.rpc.port(), "ops_port",
            p.ops->port());
  return absl::OkStatus();
}

void Application::Stop() {
  Parts& p = *parts_;
  log::Info("server_stopping", "name", p.settings.name);
  if (p.ops) p.ops->SetDraining();
  if (p.health) {
    p.health->Stop();
    p.rpc.SetServing(false);
  }
  if (p.directory) p.directory->Stop();
  // Calls in hand wait for the writer, so it stops after them.
  p.rpc.Shutdown(p.settings.drain_timeout);
  if (p.openers) p.openers->Stop();
  if (p.writer) p.writer->Stop();
  if (p.key_database) p.key_database->Stop();
  if (p.database) p.database->Stop();
  if (p.ops) p.ops->Stop();
  log::Info("server_stopped", "name", p.settings.name);
}

std::uint16_t Application::rpc_port() const { return parts_->rpc.port(); }
std::uint16_t Application::ops_port() const { return parts_->ops->port(); }

}  // namespace postern::server
