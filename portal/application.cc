#include "portal/application.h"

#include <optional>
#include <utility>

#include "portal/web/limits.h"
#include "services/common/app/inherited_socket.h"
#include "services/common/log/log.h"
#include "services/common/rpc/credentials.h"
#include "services/common/tls/identity.h"

namespace postern::portal {
namespace {

constexpr std::chrono::milliseconds kListenFilesInterval{1000};

}  // namespace

Application::Application(Settings settings)
    : settings_(std::move(settings)),
      metrics_("postern-portal"),
      listen_files_("listen-files", kListenFilesInterval, [this] { FollowListenFiles(); }) {}

Application::~Application() { Stop(); }

absl::Status Application::Start() {
  absl::Status status = LoadFiles();
  if (status.ok()) status = JoinMesh();
  if (status.ok()) status = ConnectServer();
  if (!status.ok()) return status;
  listen_certificate_ =
      std::make_unique<app::CertificateWatch>("listen", settings_.listen.certificate, metrics_);
  mesh_certificate_ =
      std::make_unique<app::CertificateWatch>("mesh", settings_.mesh.certificate, metrics_);
  MakeLanes();
  status = Listen();
  if (!status.ok()) return status;
  member_->Start();
  listen_files_.Start();
  for (const auto& lane : lanes_) {
    lane->thread = std::thread([&io = lane->io] { io.run(); });
  }
  log::Info("portal_started", "port", port(), "ops_port", ops_port(), "io_threads",
            settings_.io_threads);
  return absl::OkStatus();
}

absl::Status Application::LoadFiles() {
  absl::StatusOr<std::vector<crypto::Secret>> keys = ReadPortalKeys(settings_.session_key_file);
  if (!keys.ok()) return keys.status();
  keys_ = *std::move(keys);
  auto templates = TemplateTexts::Load(settings_.templates_folder);
  if (!templates.ok()) return templates.status();
  templates_ = *std::move(templates);
  auto assets = Assets::Load(settings_.assets_folder);
  if (!assets.ok()) return assets.status();
  assets_ = *std::move(assets);
  return absl::OkStatus();
}

absl::Status Application::JoinMesh() {
  trust::Member::Settings joining;
  joining.trust = settings_.trust;
  joining.trust_domain = settings_.trust_domain;
  joining.server_target = settings_.server_target;
  joining.mesh = settings_.mesh;
  // Nobody shows the portal a certificate: there is nobody to cut.
  auto member = trust::Member::Create(
      std::move(joining), [] {}, metrics_);
  if (!member.ok()) return member.status();
  member_ = *std::move(member);
  return tls::CheckOwnCertificate(settings_.mesh.certificate, tls::Role::kPortal,
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
  backend_ = std::make_unique<Backend>(*std::move(made));
  return absl::OkStatus();
}

void Application::MakeLanes() {
  PortalParts parts;
  parts.backend = backend_.get();
  parts.assets = assets_.get();
  parts.zones = &zones_;
  parts.templates = templates_;
  parts.keys = &keys_;
  parts.metrics = &metrics_;
  for (std::int64_t i = 0; i < settings_.io_threads; ++i) {
    auto lane = std::make_unique<Lane>();
    lane->handler = std::make_unique<PortalHandler>(lane->io, parts);
    lanes_.push_back(std::move(lane));
  }
}

http::Checks Application::MakeChecks() const {
  return [this] {
    std::vector<http::Check> checks;
    checks.push_back(listen_certificate_->Check());
    checks.push_back(mesh_certificate_->Check());
    for (http::Check& check : member_->Checks()) checks.push_back(std::move(check));
    http::Check server;
    server.name = "server";
    // Pages can say that it is away, so its absence takes no portal out of a load balancer.
    const bool ready = backend_->channel->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY;
    server.state = ready ? http::Check::State::kPass : http::Check::State::kWarn;
    server.detail = ready ? "connected" : "not connected";
    checks.push_back(std::move(server));
    return checks;
  };
}

absl::Status Application::Listen() {
  auto context = tls::ContextSource::Browser(settings_.listen);
  if (!context.ok()) return context.status();
  listen_context_ = *std::move(context);
  http::Limits limits;
  limits.header_bytes = kHeaderBytesMax;
  limits.body_bytes = kBodyBytesMax;
  limits.connections = static_cast<std::size_t>(settings_.connections_max);
  limits.strangers = limits.connections;
  limits.requests = static_cast<std::size_t>(settings_.requests_max);
  limits.idle_timeout = settings_.idle_timeout;
  std::vector<http::Lane> lanes;
  for (const auto& lane : lanes_) lanes.push_back({&lane->io, lane->handler.get()});
  server_ = std::make_unique<http::Server>("portal", std::move(lanes), listen_context_->Current(),
                                           limits, nullptr, metrics_);
  ops_ = std::make_unique<http::OpsServer>(metrics_, MakeChecks());
  const absl::Status ops =
      ops_->Listen(settings_.ops_address, static_cast<std::uint16_t>(settings_.ops_port));
  if (!ops.ok()) return ops;
  const absl::StatusOr<std::optional<int>> inherited = app::InheritedSocket();
  if (!inherited.ok()) return inherited.status();
  if (inherited->has_value()) return server_->Adopt(**inherited);
  return server_->Listen(settings_.listen_address,
                         static_cast<std::uint16_t>(settings_.listen_port));
}

void Application::FollowListenFiles() {
  const absl::StatusOr<bool> changed = listen_context_->Refresh();
  if (!changed.ok()) {
    log::Warn("listen_certificate_not_taken", "reason", changed.status().message());
  }
  if (!changed.ok() || !*changed) return;
  server_->UseContext(listen_context_->Current());
  log::Info("listen_certificate_taken", "file", settings_.listen.certificate);
}

void Application::Stop() {
  if (stopped_) return;
  stopped_ = true;
  log::Info("portal_stopping");
  if (ops_ != nullptr) ops_->SetDraining();
  if (server_ != nullptr && !lanes_.empty() && lanes_.front()->thread.joinable()) {
    server_->StopAccepting();
    const bool drained = server_->AwaitIdle(settings_.drain_timeout);
    if (!drained) log::Warn("requests_cut", "after_ms", settings_.drain_timeout.count());
  }
  listen_files_.Stop();
  if (member_ != nullptr) member_->Stop();
  for (const auto& lane : lanes_) lane->work.reset();
  for (const auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
  if (ops_ != nullptr) ops_->Stop();
  log::Info("portal_stopped");
}

}  // namespace postern::portal
