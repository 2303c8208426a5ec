#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/acceptor.h"
#include "services/common/rpc/authorization.h"
#include "services/common/rpc/live_connections.h"
#include "services/common/rpc/user.h"
#include "services/common/tls/identity.h"
#include "services/common/tls/settings.h"

namespace postern::server {

// The gRPC port: mutual TLS, the method table before every handler, metrics, and the health
// service. Whether reflection and channelz are there is up to the program that links them; the
// table lets only operators use them.
class RpcServer {
 public:
  // Told of each refusal of authority: a known peer at a method that its role may not call. Must be
  // thread-safe and must not block. `peer` is the path of its SPIFFE id, `user/<e-mail>` for whom a
  // portal calls, or empty; `method` comes from the peer.
  using OnRefused = std::function<void(std::string_view peer, std::string_view method)>;
  // Told of each call of a known peer that is let in; likewise.
  using OnSeen = std::function<void(const tls::SpiffeId& peer)>;

  struct Hooks {
    rpc::CheckUser check_user;  // Null: nobody is known.
    OnRefused on_refused;       // May be null.
    OnSeen on_seen;             // May be null.
  };

  RpcServer(std::string trust_domain, metrics::Registry& metrics, Hooks hooks = {});

  // Starts to serve; every service is NOT_SERVING until SetServing(true). `services` must outlive
  // Shutdown. FailedPrecondition for unusable certificate files, Unavailable when the address is
  // taken.
  absl::Status Start(const std::string& address, std::uint16_t port, const tls::Files& files,
                     const std::vector<grpc::Service*>& services);
  // The port that was taken, for `port` 0.
  std::uint16_t port() const { return acceptor_->port(); }
  // The connections that are open, for whoever learns of a revocation.
  rpc::LiveConnections& connections() { return connections_; }
  // What the health service says of the server ("") and of every component.
  void SetServing(bool serving);
  // Takes no more calls, waits for those in hand until `limit` has passed, then cuts them.
  void Shutdown(std::chrono::milliseconds limit);

 private:
  void OnCall(const rpc::CallFacts& call, const grpc::Status& status);

  const std::string trust_domain_;
  metrics::Registry& metrics_;
  const Hooks hooks_;
  prometheus::Counter& denied_role_;
  prometheus::Counter& denied_unknown_;
  prometheus::Counter& denied_token_;
  log::RateLimit denied_log_;
  rpc::LiveConnections connections_;
  std::unique_ptr<rpc::Acceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace postern::server
