#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/common/metrics/metrics.h"
#include "services/common/tls/identity.h"

namespace postern::rpc {

// The connections that a gRPC server has open, and whose certificate each of them showed: so that
// one whose certificate is revoked can be cut at once instead of living on for days.
//
// Holds a duplicate of each connection's descriptor: gRPC closes its own whenever it likes, and the
// number may be another file's a moment later. So a connection takes two descriptors.
//
// gRPC says who a peer is with its first call, not before (a TLS handshake knows the certificate
// but not the connection). Until then a connection's certificate is unknown. One that stays silent
// is cut together with the revoked ones: an honest peer connects again within a second. One that is
// only just there is left alone: what it calls is judged by the authorizer. Thread-safe.
class LiveConnections {
 public:
  // Whether the holder of this certificate is to go.
  using Revoked = std::function<bool(const tls::CertificateRef&)>;

  explicit LiveConnections(metrics::Registry& metrics);
  ~LiveConnections();
  LiveConnections(const LiveConnections&) = delete;
  LiveConnections& operator=(const LiveConnections&) = delete;

  // Unavailable, with the reason, when there is no descriptor for watching.
  absl::Status Open();

  // Follows a connection until it ends; `fd` stays the caller's. To be called before gRPC gets it.
  // On an error the caller must close it: what cannot be followed cannot be cut. ResourceExhausted
  // when there is no descriptor left, InvalidArgument when its peer is gone already or has the
  // address of another one.
  absl::Status Add(int fd);

  // Whether the peer's certificate is still to be told. `peer` as grpc::ServerContext::peer() gives
  // it.
  bool WantsCertificate(const std::string& peer) const;
  // Says whose certificate a connection has; once is enough, nothing happens for an unknown peer.
  void SetCertificate(const std::string& peer, tls::CertificateRef certificate);

  // Cuts (shuts both directions down) every connection whose certificate is revoked, or not known
  // a second after it came, and says how many. Their running calls end with UNAVAILABLE on both
  // sides.
  std::size_t CutRevoked(const Revoked& revoked);

  // Becomes readable when connections have ended; then call ForgetEnded. -1 before Open.
  int ended_fd() const { return epoll_; }
  void ForgetEnded();

  std::size_t size() const;

 private:
  struct Connection {
    int fd = -1;
    std::chrono::steady_clock::time_point since;
    tls::CertificateRef certificate;  // Empty: not known yet.
  };

  mutable std::mutex mutex_;
  int epoll_ = -1;
  // By the peer's address in gRPC's spelling.
  absl::flat_hash_map<std::string, Connection> by_peer_;
  absl::flat_hash_map<int, std::string> peer_of_fd_;
  prometheus::Gauge& open_;
  prometheus::Counter& cut_;
};

}  // namespace postern::rpc
