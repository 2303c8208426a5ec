#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "portal/portal_handler.h"
#include "portal/settings.h"
#include "services/common/app/certificate_watch.h"
#include "services/common/crypto/secret.h"
#include "services/common/exec/poller.h"
#include "services/common/http/ops_server.h"
#include "services/common/http/server.h"
#include "services/common/metrics/metrics.h"
#include "services/common/tls/context_source.h"
#include "services/common/trust/member.h"

namespace postern::portal {

// The portal put together: the only place that knows all its parts, and the order in which they
// start and stop.
class Application {
 public:
  explicit Application(Settings settings);
  ~Application();

  // Starts everything. An error says what is missing or wrong, templates and assets included. A
  // main server that cannot be reached is none: pages say so until it comes.
  absl::Status Start();
  // Not ready; no new requests; live pages end; those in hand are answered (drain_timeout_ms); all
  // threads joined. Idempotent.
  void Stop();

  std::uint16_t port() const { return server_->port(); }
  std::uint16_t ops_port() const { return ops_->port(); }
  metrics::Registry& metrics() { return metrics_; }

 private:
  // One thread that serves browsers.
  struct Lane {
    Lane() : io(1), work(boost::asio::make_work_guard(io)) {}
    boost::asio::io_context io;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
    std::unique_ptr<PortalHandler> handler;
    std::thread thread;
  };

  absl::Status JoinMesh();
  absl::Status ConnectServer();
  absl::Status LoadFiles();
  void MakeLanes();
  absl::Status Listen();
  http::Checks MakeChecks() const;
  // Shows browsers another certificate once its files have changed.
  void FollowListenFiles();

  const Settings settings_;
  metrics::Registry metrics_;
  const Zones zones_;
  std::vector<crypto::Secret> keys_;
  std::shared_ptr<const TemplateTexts> templates_;
  std::shared_ptr<const Assets> assets_;
  std::unique_ptr<trust::Member> member_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<tls::ContextSource> listen_context_;
  std::unique_ptr<app::CertificateWatch> listen_certificate_;
  std::unique_ptr<app::CertificateWatch> mesh_certificate_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::OpsServer> ops_;
  exec::Poller listen_files_;
  bool stopped_ = false;
};

}  // namespace postern::portal
