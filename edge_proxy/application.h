#pragma once

#include <grpcpp/grpcpp.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "edge_proxy/client_directory.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/directory_watch.h"
#include "edge_proxy/domains.h"
#include "edge_proxy/edge_handler.h"
#include "edge_proxy/enqueuer.h"
#include "edge_proxy/health.h"
#include "edge_proxy/queue_metrics.h"
#include "edge_proxy/queue_monitor.h"
#include "edge_proxy/registrar.h"
#include "edge_proxy/settings.h"
#include "postern/v1/certificate_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/app/certificate_watch.h"
#include "services/common/exec/poller.h"
#include "services/common/http/ops_server.h"
#include "services/common/http/server.h"
#include "services/common/http/static_files.h"
#include "services/common/metrics/metrics.h"
#include "services/common/redis/queue_safety.h"
#include "services/common/tls/context_source.h"
#include "services/common/trust/member.h"

namespace postern::edge {

// The edge put together: the only place that knows all its parts, and the order in which they start
// and stop.
class Application {
 public:
  explicit Application(Settings settings);
  ~Application();

  // Starts everything. An error says what is missing or wrong; Redis settings that can lose
  // messages are one. A Redis or a main server that cannot be reached is none: the edge is not
  // ready until they come.
  absl::Status Start();
  // Takes what of the settings changes while the edge runs: `clients.*` and what is in
  // `listen.domains_folder`. An error says which file is unusable, and nothing is taken.
  absl::Status Reload(const Settings& fresh);
  // Not ready; no new requests; those in hand answered (drain_timeout_ms); registrations flushed;
  // all threads joined. Idempotent.
  void Stop();

  std::uint16_t port() const { return server_->port(); }
  std::uint16_t ops_port() const { return ops_->port(); }
  metrics::Registry& metrics() { return metrics_; }

 private:
  // One thread that serves clients.
  struct Lane {
    Lane() : io(1), work(boost::asio::make_work_guard(io)) {}
    boost::asio::io_context io;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
    std::unique_ptr<Enqueuer> enqueuer;
    std::unique_ptr<EdgeHandler> handler;
    std::thread thread;
  };

  absl::Status JoinMesh();
  absl::Status ConnectServer();
  absl::Status PrepareQueue();
  absl::Status RefuseUnsafeQueue();
  absl::Status ReadDocs();
  void MakeLanes();
  absl::Status Listen();
  absl::Status ListenForEnrolment();
  void StopLanes();
  http::Checks MakeChecks() const;
  http::PeerCheck MakePeerCheck();
  http::Pages MakePages() const;
  http::Limits MakeLimits() const;
  // Why a peer may not speak, or may not stay; OK when it may.
  absl::Status CheckRevocation(const tls::PeerCertificate& peer) const;
  // Cuts the open connections of clients that were suspended or have lost their certificate.
  void RecheckPeers();
  // Shows clients another certificate once its files have changed.
  void FollowListenFiles();
  void FollowEnrolmentFiles();

  const Settings settings_;
  metrics::Registry metrics_;
  QueueMetrics queue_metrics_;
  redis::QueueSafety safety_;
  Domains domains_;
  ClientDirectory directory_;
  redis::Settings redis_;
  std::unique_ptr<trust::Member> member_;
  std::shared_ptr<tls::ContextSource> listen_context_;
  std::shared_ptr<tls::ContextSource> enrolment_context_;
  std::shared_ptr<const http::StaticFiles> docs_;  // Null: none.
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::MessageService::Stub> messages_;
  std::unique_ptr<v1::CertificateService::Stub> certificates_;
  std::unique_ptr<DirectoryWatch> watch_;
  std::unique_ptr<DataKeys> keys_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<app::CertificateWatch> listen_certificate_;
  std::unique_ptr<app::CertificateWatch> mesh_certificate_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<QueueMonitor> monitor_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> enrolment_;  // Null: no such port.
  std::unique_ptr<http::OpsServer> ops_;
  exec::Poller listen_files_;
  bool stopped_ = false;
};

}  // namespace postern::edge
