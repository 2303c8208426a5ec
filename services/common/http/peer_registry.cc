#include "services/common/http/peer_registry.h"

#include <utility>

namespace postern::http {
namespace {

constexpr Refusal kTooMany{429, "requests_of_peer",
                           "Too many requests of this client are in hand."};
constexpr Refusal kOverloaded{503, "requests", "Too many requests are in hand."};

}  // namespace

PeerRegistry::PeerRegistry(Limits limits, const std::string& listener, metrics::Registry& metrics)
    : limits_(limits), requests_(std::make_shared<std::atomic<std::size_t>>(0)) {
  // The registry of metrics outlives this.
  metrics.GaugeFunction(
      "postern_http_requests_in_hand", "Requests that are being handled.",
      [count = requests_] { return static_cast<double>(count->load(std::memory_order_relaxed)); },
      {{"listener", listener}});
}

std::unique_ptr<PeerRegistry::Connection> PeerRegistry::Add(
    std::shared_ptr<const tls::PeerCertificate> certificate) {
  const std::lock_guard lock(mutex_);
  const auto peer = peers_.try_emplace(certificate->id.ToString()).first;
  if (peer->second.connections >= limits_.connections_per_peer) return nullptr;
  ++peer->second.connections;
  const auto entry = certificates_.try_emplace(certificate->sha256_hex).first;
  ++entry->second.connections;
  entry->second.content = std::move(certificate);
  return std::make_unique<Connection>(*this, peer, entry);
}

void PeerRegistry::Remove(Peers::iterator peer, CertificateMap::iterator certificate) {
  const std::lock_guard lock(mutex_);
  if (--peer->second.connections == 0) peers_.erase(peer);
  if (--certificate->second.connections == 0) certificates_.erase(certificate);
}

std::vector<std::shared_ptr<const tls::PeerCertificate>> PeerRegistry::Certificates() const {
  std::vector<std::shared_ptr<const tls::PeerCertificate>> all;
  const std::lock_guard lock(mutex_);
  all.reserve(certificates_.size());
  for (const auto& [fingerprint, certificate] : certificates_) all.push_back(certificate.content);
  return all;
}

PeerRegistry::Request::Request(PeerRegistry& registry, const Connection* connection)
    : registry_(registry), peer_(connection == nullptr ? nullptr : &connection->peer_->second) {
  const Limits& limits = registry_.limits_;
  if (registry_.requests_->fetch_add(1, std::memory_order_relaxed) >= limits.requests) {
    refusal_ = &kOverloaded;
  }
  if (peer_ != nullptr &&
      peer_->requests.fetch_add(1, std::memory_order_relaxed) >= limits.requests_per_peer) {
    refusal_ = &kTooMany;
  }
}

PeerRegistry::Request::~Request() {
  registry_.requests_->fetch_sub(1, std::memory_order_relaxed);
  if (peer_ != nullptr) peer_->requests.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace postern::http
