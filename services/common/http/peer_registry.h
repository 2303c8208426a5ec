#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/common/http/request_parser.h"
#include "services/common/metrics/metrics.h"
#include "services/common/tls/identity.h"

namespace postern::http {

// Who is connected to a server, by certificate, and what each peer has in hand; a peer is whom the
// SPIFFE id names, with however many certificates. Shared by all lanes, thread-safe. The mutex is
// taken when a connection opens or closes, never for a request.
class PeerRegistry {
 public:
  struct Limits {
    std::size_t connections_per_peer = 0;
    std::size_t requests = 0;  // In hand at one time, of all peers.
    std::size_t requests_per_peer = 0;
  };

  class Connection;
  class Request;

  // Shows the requests in hand as a metric with the label `listener`.
  PeerRegistry(Limits limits, const std::string& listener, metrics::Registry& metrics);

  // Counts a connection for as long as the result lives. Null when the peer has
  // `connections_per_peer` already.
  std::unique_ptr<Connection> Add(std::shared_ptr<const tls::PeerCertificate> certificate);

  // Each certificate that some connection has shown, once.
  std::vector<std::shared_ptr<const tls::PeerCertificate>> Certificates() const;

 private:
  struct Peer {
    std::size_t connections = 0;
    std::atomic<std::size_t> requests{0};
  };
  struct Certificate {
    std::shared_ptr<const tls::PeerCertificate> content;
    std::size_t connections = 0;
  };
  using Peers = std::map<std::string, Peer>;
  using CertificateMap = std::map<std::string, Certificate>;

  void Remove(Peers::iterator peer, CertificateMap::iterator certificate);

  const Limits limits_;
  const std::shared_ptr<std::atomic<std::size_t>> requests_;
  mutable std::mutex mutex_;
  Peers peers_;                  // By SPIFFE id.
  CertificateMap certificates_;  // By SHA-256 fingerprint.
};

// One connection's place in the registry.
class PeerRegistry::Connection {
 public:
  Connection(PeerRegistry& registry, Peers::iterator peer, CertificateMap::iterator certificate)
      : registry_(registry), peer_(peer), certificate_(certificate) {}
  ~Connection() { registry_.Remove(peer_, certificate_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

 private:
  friend class Request;

  PeerRegistry& registry_;
  const Peers::iterator peer_;
  const CertificateMap::iterator certificate_;
};

// A request in hand, as long as it lives.
class PeerRegistry::Request {
 public:
  // `connection` may be null: a peer without a certificate, of whom only the sum is limited. Both
  // must outlive this.
  Request(PeerRegistry& registry, const Connection* connection);
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // Why the request may not be handled now; null when it may.
  const Refusal* refusal() const { return refusal_; }

 private:
  PeerRegistry& registry_;
  Peer* const peer_;
  const Refusal* refusal_ = nullptr;
};

}  // namespace postern::http
