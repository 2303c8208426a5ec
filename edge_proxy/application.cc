#include "edge_proxy/application.h"

#include <boost/asio/post.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "edge_proxy/limits.h"
#include "services/common/app/inherited_socket.h"
#include "services/common/app/process.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/log/log.h"
#include "services/common/rpc/credentials.h"
#include "services/common/tls/identity.h"

namespace postern::edge {
namespace {

constexpr std::size_t kBytesPerMib = 1024 * 1024;
constexpr std::chrono::milliseconds kListenFilesInterval{1000};

RateLimit DefaultLimit(const Settings& settings) {
  RateLimit limit;
  limit.per_second = settings.messages_per_second;
  limit.burst = settings.burst;
  limit.per_day = settings.messages_per_day;
  return limit;
}

}  // namespace

Application::Application(Settings settings)
    : settings_(std::move(settings)),
      metrics_("postern-edge"),
      queue_metrics_(metrics_),
      safety_(metrics_, settings_.allow_unsafe_queue),
      domains_(settings_.domains_folder, settings_.listen.trust),
      directory_(settings_.directory_cache_file,
                 [this](std::string_view domain) { return domains_.LimitOf(domain); }),
      listen_files_("listen-files", kListenFilesInterval, [this] { FollowListenFiles(); }) {}

Application::~Application() { Stop(); }

absl::Status Application::Reload(const Settings& fresh) {
  if (absl::Status read = domains_.Read(DefaultLimit(fresh)); !read.ok()) return read;
  directory_.RefreshLimits();
  return absl::OkStatus();
}

absl::Status Application::Start() {
  if (absl::Status read = domains_.Read(DefaultLimit(settings_)); !read.ok()) return read;
  const absl::Status cached = directory_.LoadCache();
  if (!cached.ok()) log::Info("directory_cache_not_used", "reason", cached.message());
  absl::Status status = JoinMesh();
  if (status.ok()) status = ConnectServer();
  if (status.ok()) status = PrepareQueue();
  if (!status.ok()) return status;
  listen_certificate_ =
      std::make_unique<app::CertificateWatch>("listen", settings_.listen.certificate, metrics_);
  mesh_certificate_ =
      std::make_unique<app::CertificateWatch>("mesh", settings_.mesh.certificate, metrics_);
  if (absl::Status read = ReadDocs(); !read.ok()) return read;
  MakeLanes();
  status = Listen();
  if (!status.ok()) return status;
  member_->Start();
  listen_files_.Start();
  watch_->Start();
  keys_->Start();
  registrar_->Start();
  monitor_->Start();
  for (const auto& lane : lanes_) {
    lane->enqueuer->Start();
    lane->thread = std::thread([&io = lane->io] { io.run(); });
  }
  log::Info("edge_started", "port", port(), "ops_port", ops_port(), "io_threads",
            settings_.io_threads);
  return absl::OkStatus();
}

absl::Status Application::JoinMesh() {
  trust::Member::Settings joining;
  joining.trust = settings_.trust;
  joining.trust_domain = settings_.trust_domain;
  joining.server_target = settings_.server_target;
  joining.mesh = settings_.mesh;
  joining.listen = settings_.listen;
  auto member = trust::Member::Create(
      std::move(joining), [this] { RecheckPeers(); }, metrics_);
  if (!member.ok()) return member.status();
  member_ = *std::move(member);
  return tls::CheckOwnCertificate(settings_.mesh.certificate, tls::Role::kEdge,
                                  settings_.trust_domain);
}

absl::Status Application::ConnectServer() {
  rpc::ChannelSettings channel;
  channel.target = settings_.server_target;
  channel.files = settings_.mesh;
  channel.trust_domain = settings_.trust_domain;
  channel.check = member_->check();
  absl::StatusOr<std::shared_ptr<grpc::Channel>> made = rpc::Channel(channel);
  if (!made.ok()) return made.status();
  channel_ = *std::move(made);
  messages_ = v1::MessageService::NewStub(channel_);
  certificates_ = v1::CertificateService::NewStub(channel_);
  watch_ = std::make_unique<DirectoryWatch>(
      channel_, directory_, [this] { RecheckPeers(); }, metrics_);
  keys_ = std::make_unique<DataKeys>(channel_, metrics_);
  registrar_ = std::make_unique<Registrar>(
      channel_, static_cast<std::size_t>(settings_.registration_buffer_mib) * kBytesPerMib,
      metrics_);
  return absl::OkStatus();
}

absl::Status Application::PrepareQueue() {
  absl::StatusOr<std::string> password = ReadSecretFile(settings_.redis_password_file);
  if (!password.ok()) return password.status();
  tls::Files files = settings_.mesh;
  files.trust = settings_.redis_trust_file;
  auto context = tls::ContextSource::Client(std::move(files));
  if (!context.ok()) return context.status();
  redis_.host = settings_.redis_host;
  redis_.port = static_cast<std::uint16_t>(settings_.redis_port);
  redis_.user = settings_.redis_user;
  redis_.password = *std::move(password);
  redis_.client_name = settings_.name;
  redis_.tls = *std::move(context);
  return RefuseUnsafeQueue();
}

absl::Status Application::ReadDocs() {
  if (settings_.docs_folder.empty()) return absl::OkStatus();
  absl::StatusOr<http::StaticFiles> files = http::StaticFiles::Read(settings_.docs_folder);
  if (!files.ok()) return files.status();
  docs_ = std::make_shared<const http::StaticFiles>(*std::move(files));
  return absl::OkStatus();
}

absl::Status Application::RefuseUnsafeQueue() {
  const auto faults = CheckQueueNow(redis_);
  if (!faults.ok()) {
    log::Warn("queue_not_reached_at_start", "reason", faults.status().message());
    return absl::OkStatus();
  }
  safety_.Set(*faults);
  if (safety_.safe()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("Redis at ", settings_.redis_host, ":", settings_.redis_port,
             " can lose acknowledged messages: ", absl::StrJoin(*faults, "; "),
             ". Correct that, or start with --allow-unsafe-queue to accept it."));
}

void Application::MakeLanes() {
  for (std::int64_t i = 0; i < settings_.io_threads; ++i) {
    auto lane = std::make_unique<Lane>();
    Enqueuer::Settings queue;
    queue.redis = redis_;
    queue.flush_interval = std::chrono::microseconds(settings_.redis_flush_interval_us);
    queue.registration_age = [registrar = registrar_.get()] { return registrar->OldestAge(); };
    lane->enqueuer = std::make_unique<Enqueuer>(
        lane->io, std::move(queue), safety_,
        [registrar = registrar_.get()](std::span<const DurableMessage> messages,
                                       std::int64_t durable_at_us) {
          registrar->Add(messages, durable_at_us);
        },
        queue_metrics_);
    lanes_.push_back(std::move(lane));
  }
  const http::Checks checks = MakeChecks();
  for (const auto& lane : lanes_) {
    HandlerParts parts;
    parts.directory = &directory_;
    parts.keys = keys_.get();
    parts.enqueuer = lane->enqueuer.get();
    parts.key_bounds = {settings_.idempotency_keys_per_client,
                        settings_.idempotency_keys_per_shard};
    parts.registrar = registrar_.get();
    parts.messages = messages_.get();
    parts.certificates = certificates_.get();
    parts.docs = docs_.get();
    parts.checks = checks;
    parts.metrics = &metrics_;
    lane->handler = std::make_unique<EdgeHandler>(std::move(parts));
  }
  monitor_ = std::make_unique<QueueMonitor>(lanes_.front()->io, redis_, safety_, metrics_);
}

http::Checks Application::MakeChecks() const {
  HealthParts parts;
  for (const auto& lane : lanes_) parts.enqueuers.push_back(lane->enqueuer.get());
  parts.safety = &safety_;
  parts.watch = watch_.get();
  parts.directory = &directory_;
  parts.keys = keys_.get();
  parts.registrar = registrar_.get();
  parts.certificates = {listen_certificate_.get(), mesh_certificate_.get()};
  parts.member = member_.get();
  return Health(std::move(parts));
}

absl::Status Application::Listen() {
  auto context = tls::ContextSource::Server(settings_.listen);
  if (!context.ok()) return context.status();
  listen_context_ = *std::move(context);
  domains_.Install(listen_context_->Current()->native_handle());
  std::vector<http::Lane> lanes;
  for (const auto& lane : lanes_) lanes.push_back({&lane->io, lane->handler.get()});
  server_ = std::make_unique<http::Server>("rest", std::move(lanes), listen_context_->Current(),
                                           MakeLimits(), MakePeerCheck(), metrics_);
  ops_ = std::make_unique<http::OpsServer>(metrics_, MakeChecks(), MakePages());
  const absl::Status ops =
      ops_->Listen(settings_.ops_address, static_cast<std::uint16_t>(settings_.ops_port));
  if (!ops.ok()) return ops;
  if (absl::Status enrolment = ListenForEnrolment(); !enrolment.ok()) return enrolment;
  const absl::StatusOr<std::optional<int>> inherited = app::InheritedSocket();
  if (!inherited.ok()) return inherited.status();
  if (inherited->has_value()) return server_->Adopt(**inherited);
  return server_->Listen(settings_.listen_address,
                         static_cast<std::uint16_t>(settings_.listen_port));
}

absl::Status Application::ListenForEnrolment() {
  if (settings_.enrolment_port == 0) return absl::OkStatus();
  auto context = tls::ContextSource::Browser(settings_.listen);
  if (!context.ok()) return context.status();
  enrolment_context_ = *std::move(context);
  http::Limits limits = MakeLimits();
  limits.large = {};
  limits.connections = kEnrolmentConnectionsMax;
  limits.requests = kEnrolmentRequestsMax;
  std::vector<http::Lane> lanes = {{&lanes_.front()->io, lanes_.front()->handler.get()}};
  enrolment_ =
      std::make_unique<http::Server>("enrolment", std::move(lanes), enrolment_context_->Current(),
                                     std::move(limits), http::PeerCheck(), metrics_);
  return enrolment_->Listen(settings_.listen_address,
                            static_cast<std::uint16_t>(settings_.enrolment_port));
}

http::Pages Application::MakePages() const {
  return [docs = docs_](std::string_view path) -> std::optional<http::Response> {
    static constexpr std::string_view kFolder = "/docs/";
    if (docs == nullptr || !path.starts_with(kFolder)) return std::nullopt;
    const http::Response* const page = docs->Find(path.substr(kFolder.size()));
    if (page == nullptr) return std::nullopt;
    return *page;
  };
}

http::Limits Application::MakeLimits() const {
  http::Limits limits;
  limits.header_bytes = kHeaderBytesMax;
  limits.body_bytes = kBodyBytesMax;
  limits.large.path = kBatchPath;
  limits.large.body_bytes = kBatchBodyBytesMax;
  limits.large.at_one_time = kLargeBodiesMax;
  limits.large.of_one_peer = kLargeBodiesOfClientMax;
  limits.connections = static_cast<std::size_t>(settings_.connections_max);
  limits.connections_per_peer = static_cast<std::size_t>(settings_.connections_per_client);
  limits.requests = static_cast<std::size_t>(settings_.requests_max);
  limits.requests_per_peer = static_cast<std::size_t>(settings_.requests_per_client);
  limits.handshake_timeout = settings_.handshake_timeout;
  limits.header_timeout = settings_.header_timeout;
  limits.body_timeout = settings_.body_timeout;
  limits.write_timeout = settings_.write_timeout;
  limits.idle_timeout = settings_.idle_timeout;
  limits.linger = settings_.linger;
  const std::size_t descriptors = app::DescriptorLimit();
  const std::size_t for_clients =
      descriptors > 2 * kDescriptorsReserved ? descriptors - kDescriptorsReserved : descriptors / 2;
  if (limits.connections > for_clients) {
    log::Warn("connections_limited", "connections", for_clients, "configured",
              settings_.connections_max, "file_descriptors", descriptors);
    limits.connections = for_clients;
  }
  return limits;
}

void Application::RecheckPeers() {
  const auto directory = directory_.Current();
  server_->RecheckPeers([&](const tls::PeerCertificate& peer) {
    absl::Status stays = CheckStay(peer, settings_.trust_domain, *directory);
    if (stays.ok()) stays = CheckRevocation(peer);
    if (!stays.ok()) {
      log::Info("connections_cut", "client", peer.id.name, "reason", stays.message(), "sha256",
                peer.sha256_hex);
    }
    return stays;
  });
}

absl::Status Application::CheckRevocation(const tls::PeerCertificate& peer) const {
  const tls::RevocationCheck check = member_->check();
  return check ? check(peer.ref) : absl::OkStatus();
}

void Application::FollowListenFiles() {
  if (enrolment_ != nullptr) FollowEnrolmentFiles();
  if (const absl::Status domains = domains_.Refresh(); !domains.ok()) {
    log::Warn("listen_certificate_not_taken", "reason", domains.message());
  }
  const absl::StatusOr<bool> changed = listen_context_->Refresh();
  if (!changed.ok())
    log::Warn("listen_certificate_not_taken", "reason", changed.status().message());
  if (!changed.ok() || !*changed) return;
  domains_.Install(listen_context_->Current()->native_handle());
  server_->UseContext(listen_context_->Current());
  log::Info("listen_certificate_taken", "file", settings_.listen.certificate);
}

void Application::FollowEnrolmentFiles() {
  const absl::StatusOr<bool> changed = enrolment_context_->Refresh();
  if (changed.ok() && *changed) enrolment_->UseContext(enrolment_context_->Current());
}

http::PeerCheck Application::MakePeerCheck() {
  const auto counters =
      std::make_shared<std::map<std::string, prometheus::Counter*, std::less<>>>();
  std::vector<std::string_view> reasons(kPeerRejections.begin(), kPeerRejections.end());
  reasons.insert(reasons.end(), std::begin(trust::kRefusals), std::end(trust::kRefusals));
  for (const std::string_view reason : reasons) {
    counters->emplace(reason, &metrics_.Counter("postern_peer_rejections_total",
                                                "Connections refused for who the peer is.",
                                                {{"reason", std::string(reason)}}));
  }
  return [this, counters](const tls::PeerCertificate& peer, std::string_view server_name) {
    const auto directory = directory_.Current();
    absl::Status status = CheckPeer(peer, settings_.trust_domain, *directory);
    if (status.ok()) {
      status = domains_.Check(server_name, directory->Find(peer.sha256_hex)->domain);
    }
    if (status.ok()) status = CheckRevocation(peer);
    if (!status.ok()) {
      static log::RateLimit limit;
      const auto counter = counters->find(ToStd(status.message()));
      if (counter != counters->end()) counter->second->Increment();
      if (limit.Allow()) {
        log::Warn("peer_refused", "reason", status.message(), "peer", peer.id.ToString(), "sha256",
                  peer.sha256_hex);
      }
    }
    return status;
  };
}

void Application::Stop() {
  if (stopped_) return;
  stopped_ = true;
  log::Info("edge_stopping");
  if (ops_ != nullptr) ops_->SetDraining();
  if (server_ != nullptr) {
    server_->StopAccepting();
    const bool drained =
        lanes_.front()->thread.joinable() && server_->AwaitIdle(settings_.drain_timeout);
    if (!drained) log::Warn("requests_cut", "after_ms", settings_.drain_timeout.count());
    if (enrolment_ != nullptr) {
      enrolment_->StopAccepting();
      enrolment_->AwaitIdle(settings_.linger);
    }
  }
  // Before the lanes, to which they speak.
  if (watch_ != nullptr) watch_->Stop();
  if (member_ != nullptr) member_->Stop();
  listen_files_.Stop();
  StopLanes();
  if (registrar_ != nullptr) registrar_->Stop(kRegistrationFlushLimit);
  if (keys_ != nullptr) keys_->Stop();
  if (ops_ != nullptr) ops_->Stop();
  log::Info("edge_stopped");
}

void Application::StopLanes() {
  for (const auto& lane : lanes_) {
    const bool has_monitor = lane == lanes_.front() && monitor_ != nullptr;
    boost::asio::post(lane->io, [this, has_monitor, &lane = *lane] {
      lane.enqueuer->Stop();
      if (has_monitor) monitor_->Stop();
      lane.work.reset();
    });
  }
  for (const auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
}

}  // namespace postern::edge
