#include "services/server/application.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/audit/audit_keeper.h"
#include "services/audit/audit_service.h"
#include "services/certificates/authorities.h"
#include "services/certificates/certificate_service.h"
#include "services/certificates/crl_publisher.h"
#include "services/clients/client_directory.h"
#include "services/clients/client_service.h"
#include "services/common/app/certificate_watch.h"
#include "services/common/base/strings.h"
#include "services/common/base/uuid.h"
#include "services/common/db/executor.h"
#include "services/common/exec/bounded_executor.h"
#include "services/common/http/ops_server.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/redis/queue_safety.h"
#include "services/common/rpc/authorization.h"
#include "services/common/rpc/user.h"
#include "services/common/tls/identity.h"
#include "services/identity/identity_upkeep.h"
#include "services/identity/limits.h"
#include "services/identity/sessions.h"
#include "services/identity/user_directory.h"
#include "services/identity/user_service.h"
#include "services/keys/data_key_store.h"
#include "services/keys/key_service.h"
#include "services/keys/master_key_keeper.h"
#include "services/keys/number_index.h"
#include "services/messages/dead_letter_service.h"
#include "services/messages/delivery_service.h"
#include "services/messages/ledger.h"
#include "services/messages/limits.h"
#include "services/messages/message_service.h"
#include "services/messages/message_writer.h"
#include "services/messages/queue_client.h"
#include "services/messages/queue_service.h"
#include "services/messages/reconciler.h"
#include "services/messages/registration_service.h"
#include "services/messages/retention.h"
#include "services/messages/retention_service.h"
#include "services/server/checks.h"
#include "services/server/connections.h"
#include "services/server/health_monitor.h"
#include "services/server/key_envelope_reader.h"
#include "services/server/key_secret_wrapper.h"
#include "services/server/limits.h"
#include "services/server/local_trust.h"
#include "services/server/queue_watch.h"
#include "services/server/rpc_server.h"
#include "services/server/startup_checks.h"
#include "services/server/statistics_sink.h"
#include "services/server/system_service.h"
#include "services/statistics/folder.h"
#include "services/statistics/statistics_service.h"

namespace postern::server {
// In the order of their making; each uses only what stands above it.
struct Application::Parts {
  explicit Parts(Settings s)
      : settings(std::move(s)),
        certificate("mesh", settings.mesh.certificate, metrics),
        queue_safety(metrics),
        rpc(settings.trust_domain, metrics, RpcHooks()) {}

  RpcServer::Hooks RpcHooks();
  // Who calls, for services whose answer depends on it.
  messages::MessageService::GetCaller CallerOf() {
    return [this](const grpc::ServerContextBase& context) {
      return rpc::CallerOf(context, settings.trust_domain,
                           [this](std::string_view token) { return users->Check(token); });
    };
  }

  absl::Status MakeAudit();
  absl::Status MakeKeys();
  absl::Status MakeIdentity();
  absl::Status MakeClients();
  absl::Status MakeTrust();
  absl::Status MakeCertificates();
  void MakeWriting();
  void MakeUpkeep();
  void MakeReading();
  absl::Status StartOps();
  absl::Status StartRpc();
  messages::EnvelopeReaderFactory EnvelopeReaders() const {
    return MakeEnvelopeReaders(data_keys, connections.index_key);
  }
  bool DatabaseHealthy() const { return database->healthy() && writer->healthy(); }
  std::vector<http::Check> Checks();
  std::optional<v1::QueueFigures> Queue() const;

  const Settings settings;
  metrics::Registry metrics{"postern-server"};
  app::CertificateWatch certificate;
  redis::QueueSafety queue_safety;

  // Unique among processes, those before a restart included.
  const std::string holder = StrCat(settings.name, "-", Uuid::Random().ToString());
  Connections connections;

  std::unique_ptr<db::Executor> database;
  std::unique_ptr<db::Executor> key_database;

  std::unique_ptr<audit::AuditKeeper> audit;
  std::unique_ptr<audit::AuditService> audit_service;

  std::shared_ptr<keys::DataKeyStore> data_keys;
  std::unique_ptr<keys::MasterKeyKeeper> key_keeper;
  std::unique_ptr<keys::KeyService> key_service;

  std::unique_ptr<identity::SecretWrapper> secret_wrapper;
  std::unique_ptr<identity::UserDirectory> users;
  std::unique_ptr<identity::IdentityUpkeep> identity_upkeep;
  std::unique_ptr<exec::BoundedExecutor> hashers;
  std::unique_ptr<identity::Sessions> sessions;
  std::unique_ptr<identity::UserService> user_service;

  std::unique_ptr<clients::ClientDirectory> directory;
  std::unique_ptr<clients::ClientService> client_service;

  std::unique_ptr<trust::Member> member;
  std::unique_ptr<LocalTrust> local_trust;
  std::unique_ptr<certificates::Authorities> authorities;  // Null on a server that holds no CA.
  std::unique_ptr<certificates::CrlPublisher> crl_publisher;
  std::unique_ptr<certificates::CertificateService> certificate_service;

  std::unique_ptr<messages::MessageWriter> writer;
  std::unique_ptr<exec::BoundedExecutor> openers;
  std::unique_ptr<messages::RegistrationService> registration_service;
  std::unique_ptr<messages::DeliveryService> delivery_service;

  std::unique_ptr<QueueWatch> queue_watch;
  std::unique_ptr<messages::QueueClient> queue;
  std::unique_ptr<messages::Reconciler> reconciler;
  std::unique_ptr<messages::Ledger> ledger;
  std::unique_ptr<messages::Retention> retention;
  std::unique_ptr<messages::RetentionService> retention_service;
  std::unique_ptr<messages::MessageService> message_service;
  std::unique_ptr<messages::QueueService> queue_service;
  std::unique_ptr<messages::DeadLetterService> dead_letter_service;
  std::unique_ptr<statistics::Folder> statistics_folder;
  std::unique_ptr<statistics::StatisticsService> statistics_service;
  SeenPeers seen_peers;
  std::unique_ptr<SystemService> system_service;

  RpcServer rpc;
  std::unique_ptr<http::OpsServer> ops;
  std::unique_ptr<HealthMonitor> health;
};

RpcServer::Hooks Application::Parts::RpcHooks() {
  RpcServer::Hooks hooks;
  hooks.check_user = [this](std::string_view token) { return users->Check(token); };
  hooks.on_refused = [this](std::string_view peer, std::string_view method) {
    audit->refusals().Note(peer, method);
  };
  hooks.on_seen = [this](const tls::SpiffeId& peer) { seen_peers.Note(peer); };
  return hooks;
}

absl::Status Application::Parts::MakeAudit() {
  audit::AuditKeeper::Settings keeping;
  keeping.database = connections.database;
  keeping.folder = settings.audit_folder;
  keeping.server_name = settings.name;
  audit = std::make_unique<audit::AuditKeeper>(std::move(keeping), metrics);
  audit_service = std::make_unique<audit::AuditService>(*database, audit->refusals());
  return audit->Start();
}

absl::Status Application::Parts::MakeKeys() {
  key_database =
      std::make_unique<db::Executor>(connections.database, kKeyConnections, kKeyQueueMax, metrics);
  data_keys = std::make_shared<keys::DataKeyStore>(
      keys::MasterKeys(std::move(connections.master_keys)), *key_database, metrics);
  keys::MasterKeyKeeper::Settings keeping;
  keeping.database = connections.database;
  keeping.key_file = settings.master_key_file;
  keeping.server = settings.name;
  key_keeper = std::make_unique<keys::MasterKeyKeeper>(std::move(keeping), *data_keys, metrics);
  keys::DataKeyLimits limits;
  limits.max_age_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(settings.data_key_max_age).count();
  limits.max_encryptions = settings.data_key_max_encryptions;
  key_service = std::make_unique<keys::KeyService>(*data_keys, *key_keeper, *key_database, limits,
                                                   keys::DeriveEdgeHashKey(*connections.index_key),
                                                   settings.trust_domain);
  if (absl::Status s = key_keeper->Prepare(); !s.ok()) return s;
  key_keeper->Start();
  return absl::OkStatus();
}

absl::Status Application::Parts::MakeIdentity() {
  secret_wrapper = MakeSecretWrapper(data_keys);
  users = std::make_unique<identity::UserDirectory>(*database, *secret_wrapper,
                                                    settings.trust_domain, metrics);
  identity_upkeep = std::make_unique<identity::IdentityUpkeep>(
      connections.database, *secret_wrapper, [this] { users->Nudge(); });
  hashers = std::make_unique<exec::BoundedExecutor>("hashers", identity::kHasherThreads,
                                                    identity::kHasherQueueMax);
  sessions = std::make_unique<identity::Sessions>(
      *database, *hashers, *users, static_cast<int>(settings.bcrypt_cost),
      [this](const std::string& actor) {
        audit->refusals().Note(actor, "/postern.v1.UserService/Login");
      },
      metrics);
  user_service = std::make_unique<identity::UserService>(*database, *users, *sessions);
  auto connection = db::Connection::Open(connections.database);
  if (!connection.ok()) return connection.status();
  if (absl::Status s = identity_upkeep->Start(**connection); !s.ok()) return s;
  return users->Start();
}

absl::Status Application::Parts::MakeClients() {
  directory = std::make_unique<clients::ClientDirectory>(*database, metrics);
  client_service = std::make_unique<clients::ClientService>(*database, *directory);
  return directory->Start();
}

absl::Status Application::Parts::MakeTrust() {
  trust::Member::Settings joining;
  joining.trust = settings.trust;
  joining.trust_domain = settings.trust_domain;
  joining.server_target = RenewalTarget(settings);
  joining.mesh = settings.mesh;
  joining.watch = false;
  auto made = trust::Member::Create(
      std::move(joining), [this] { local_trust->CutRefused(); }, metrics);
  if (!made.ok()) return made.status();
  member = *std::move(made);
  local_trust = std::make_unique<LocalTrust>(*database, *member, settings.mesh.certificate,
                                             rpc.connections(), metrics);
  return absl::OkStatus();
}

absl::Status Application::Parts::MakeCertificates() {
  const auto on_changed = [this] {
    directory->Nudge();
    local_trust->feed().Nudge();
  };
  if (!settings.ca.folder.empty()) {
    auto opened = certificates::Authorities::Open(settings.ca.folder, settings.ca.passphrase_file);
    if (!opened.ok()) return opened.status();
    authorities = *std::move(opened);
    if (authorities->folder().trust_domain() != settings.trust_domain) {
      return absl::FailedPreconditionError(StrCat("ca.folder: the CA is of trust domain ",
                                                  authorities->folder().trust_domain(),
                                                  ", the server of ", settings.trust_domain));
    }
    certificates::CrlPublisher::Settings publishing;
    publishing.database = connections.database;
    publishing.crl_life = std::chrono::duration_cast<std::chrono::seconds>(settings.ca.crl_life);
    crl_publisher = std::make_unique<certificates::CrlPublisher>(std::move(publishing),
                                                                 *authorities, on_changed, metrics);
    auto connection = db::Connection::Open(connections.database);
    if (!connection.ok()) return connection.status();
    if (absl::Status s = crl_publisher->Start(**connection); !s.ok()) return s;
  }
  certificate_service = std::make_unique<certificates::CertificateService>(
      *database, authorities.get(), local_trust->feed(), settings.trust_domain, on_changed,
      metrics);
  // With what was published above.
  return local_trust->Start();
}

void Application::Parts::MakeWriting() {
  messages::MessageWriter::Settings writing;
  writing.database = connections.database;
  writing.server_name = settings.name;
  writing.commit_interval = settings.database.commit_interval;
  writing.registration_hold = settings.registration_hold;
  writing.attempts_max = settings.attempts_max;
  writing.tally_sink = MakeStatisticsSink();
  const messages::EnvelopeReaderFactory readers = EnvelopeReaders();
  writer = std::make_unique<messages::MessageWriter>(std::move(writing), readers, metrics);
  openers = std::make_unique<exec::BoundedExecutor>("openers", kOpenerThreads, kOpenerQueueMax);
  registration_service = std::make_unique<messages::RegistrationService>(*writer);
  delivery_service =
      std::make_unique<messages::DeliveryService>(*writer, *openers, readers, metrics);
}

void Application::Parts::MakeUpkeep() {
  queue_watch = std::make_unique<QueueWatch>(connections.redis, queue_safety);
  queue = std::make_unique<messages::QueueClient>(connections.redis);
  messages::Reconciler::Settings reconciling;
  reconciling.database = connections.database;
  reconciling.holder = holder;
  reconciling.interval = settings.reconcile_interval;
  reconciling.grace = settings.reconcile_grace;
  reconciling.tally_sink = MakeStatisticsSink();
  reconciler = std::make_unique<messages::Reconciler>(std::move(reconciling), *queue, metrics);
  messages::Ledger::Settings accounting;
  accounting.database = connections.database;
  accounting.holder = holder;
  ledger = std::make_unique<messages::Ledger>(std::move(accounting), *queue, metrics);
  queue_service = std::make_unique<messages::QueueService>(*database, *queue, *reconciler);
  dead_letter_service = std::make_unique<messages::DeadLetterService>(*database, *queue);
  messages::Retention::Settings keeping;
  keeping.database = connections.database;
  keeping.holder = holder;
  keeping.rules.hours = settings.partition_hours;
  keeping.rules.ahead_hours = messages::kPartitionsAheadHours;
  keeping.rules.keep_hours = settings.retention_hours;
  retention = std::make_unique<messages::Retention>(std::move(keeping), metrics);
  retention_service = std::make_unique<messages::RetentionService>(*database, *retention);
  reconciler->Start();
  ledger->Start();
  retention->Start();
}

void Application::Parts::MakeReading() {
  message_service = std::make_unique<messages::MessageService>(
      *database, *ledger, EnvelopeReaders(),
      [index_key = connections.index_key](std::string_view number) {
        return keys::NumberIndex(*index_key).Hash(number);
      },
      metrics, CallerOf());
  statistics_folder = std::make_unique<statistics::Folder>(connections.database, metrics);
  statistics_folder->Start();
  statistics_service = std::make_unique<statistics::StatisticsService>(*database, CallerOf(),
                                                                       [this] { return Queue(); });
  system_service = std::make_unique<SystemService>(settings.name, *database, seen_peers,
                                                   [this] { return Checks(); });
}

std::optional<v1::QueueFigures> Application::Parts::Queue() const {
  const auto figures = ledger->latest();
  if (!figures.ok()) return std::nullopt;
  v1::QueueFigures queue_figures;
  queue_figures.set_entries(figures->queued_entries);
  queue_figures.set_ledger_gap(figures->gap);
  queue_figures.set_ledger_closed(figures->closed);
  queue_figures.set_measured_at_us(figures->measured_at_us);
  return queue_figures;
}

absl::Status Application::Parts::StartOps() {
  ops = std::make_unique<http::OpsServer>(
      metrics, [this] { return Checks(); },
      [this](std::string_view path) { return local_trust->CrlPage(path); });
  return ops->Listen(settings.ops_address, static_cast<std::uint16_t>(settings.ops_port));
}

absl::Status Application::Parts::StartRpc() {
  const absl::Status started = rpc.Start(
      settings.listen_address, static_cast<std::uint16_t>(settings.listen_port), settings.mesh,
      member->check(),
      {key_service.get(), client_service.get(), certificate_service.get(),
       registration_service.get(), delivery_service.get(), message_service.get(),
       queue_service.get(), dead_letter_service.get(), retention_service.get(), audit_service.get(),
       user_service.get(), statistics_service.get(), system_service.get()});
  if (!started.ok()) return started;
  member->Start();
  health = std::make_unique<HealthMonitor>([this] { return DatabaseHealthy(); },
                                           [this](bool healthy) { rpc.SetServing(healthy); });
  return absl::OkStatus();
}

std::vector<http::Check> Application::Parts::Checks() {
  std::vector<http::Check> checks{DatabaseCheck(DatabaseHealthy()),
                                  QueueCheck(*ledger, queue_safety), LedgerCheck(*ledger),
                                  certificate.Check()};
  for (http::Check& check : member->Checks()) checks.push_back(std::move(check));
  return checks;
}

Application::Application(Settings settings)
    : parts_(std::make_unique<Parts>(std::move(settings))) {}

Application::~Application() = default;

absl::Status Application::Start() {
  Parts& p = *parts_;
  if (absl::Status s = tls::CheckOwnCertificate(p.settings.mesh.certificate, tls::Role::kServer,
                                                p.settings.trust_domain);
      !s.ok()) {
    return s;
  }
  auto connections = ReadConnections(p.settings);
  if (!connections.ok()) return connections.status();
  p.connections = *std::move(connections);
  if (absl::Status s = CheckDatabase(p.connections.database, p.settings.migrations_folder);
      !s.ok()) {
    return s;
  }
  p.database = std::make_unique<db::Executor>(
      p.connections.database, static_cast<std::size_t>(p.settings.database.connections),
      kDatabaseQueueMax, p.metrics);
  if (absl::Status s = p.MakeAudit(); !s.ok()) return s;
  if (absl::Status s = p.MakeKeys(); !s.ok()) return s;
  if (absl::Status s = p.MakeIdentity(); !s.ok()) return s;
  if (absl::Status s = p.MakeClients(); !s.ok()) return s;
  if (absl::Status s = p.MakeTrust(); !s.ok()) return s;
  if (absl::Status s = p.MakeCertificates(); !s.ok()) return s;
  p.MakeWriting();
  p.MakeUpkeep();
  p.MakeReading();
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
  if (p.local_trust) p.local_trust->feed().Stop();
  if (p.member) p.member->Stop();
  if (p.users) p.users->Stop();
  // Calls in hand wait for the writer, so it stops after them.
  p.rpc.Shutdown(p.settings.drain_timeout);
  if (p.crl_publisher) p.crl_publisher->Stop();
  if (p.hashers) p.hashers->Stop();
  if (p.identity_upkeep) p.identity_upkeep->Stop();
  if (p.openers) p.openers->Stop();
  if (p.writer) p.writer->Stop();
  if (p.statistics_folder) p.statistics_folder->Stop();
  if (p.reconciler) p.reconciler->Stop();
  if (p.ledger) p.ledger->Stop();
  if (p.retention) p.retention->Stop();
  if (p.queue) p.queue->Stop();
  if (p.queue_watch) p.queue_watch->Stop();
  if (p.key_keeper) p.key_keeper->Stop();
  if (p.audit) p.audit->Stop();
  if (p.key_database) p.key_database->Stop();
  if (p.database) p.database->Stop();
  if (p.ops) p.ops->Stop();
  log::Info("server_stopped", "name", p.settings.name);
}

std::uint16_t Application::rpc_port() const { return parts_->rpc.port(); }
std::uint16_t Application::ops_port() const { return parts_->ops->port(); }

}  // namespace postern::server
