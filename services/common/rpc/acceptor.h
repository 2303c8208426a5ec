#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/live_connections.h"

namespace postern::rpc {

// Accepts the connections of a gRPC server, because gRPC 1.51 itself never accepts again once it
// has met the limit of file descriptors (CVE-2023-4785). This one waits and goes on. It keeps a
// register of the connections that it took (LiveConnections), until they end. Listen, build the
// server, Start; Stop before the server's Shutdown.
class Acceptor {
 public:
  // Adds itself to the builder: no other listening port is needed. `connections` must outlive this;
  // connections that end after Stop stay in it.
  Acceptor(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials,
           LiveConnections& connections, metrics::Registry& metrics);
  ~Acceptor();

  // Binds; peers may connect and wait. `port` 0 takes a free one. Unavailable, with address and
  // reason, when it cannot.
  absl::Status Listen(const std::string& address, std::uint16_t port);
  std::uint16_t port() const { return port_; }
  void Start();
  // Closes the port. Idempotent.
  void Stop();

 private:
  void Run();
  void AcceptAll();
  bool TakeOne();
  void PauseAccepting(std::string_view reason);

  LiveConnections& connections_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_;
  prometheus::Counter& accepted_;
  prometheus::Counter& failed_;
  int listener_ = -1;
  int wake_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace postern::rpc
