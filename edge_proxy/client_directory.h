#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "edge_proxy/rate_limit.h"
#include "postern/v1/client_service.pb.h"
#include "services/common/base/strings.h"
#include "services/common/tls/identity.h"

namespace postern::edge {

// What a request needs to know about the client that sends it.
struct ClientRecord {
  std::string client_id;
  std::string domain;
  bool active = false;
  std::uint32_t shard = 0;  // Of the queue.
  RateLimit limit;
  std::shared_ptr<RateMeter> meter;  // The same one in every snapshot.
};

// All clients at one revision, by certificate. Never changes once published.
class DirectorySnapshot {
 public:
  // Null when no client has registered the certificate. `sha256_hex`: 64 lower-case digits.
  const ClientRecord* Find(std::string_view sha256_hex) const {
    const auto found = by_fingerprint_.find(ToAbsl(sha256_hex));
    return found == by_fingerprint_.end() ? nullptr : found->second.get();
  }
  // The same, for who needs it longer than the snapshot lives.
  std::shared_ptr<const ClientRecord> Hold(std::string_view sha256_hex) const {
    const auto found = by_fingerprint_.find(ToAbsl(sha256_hex));
    return found == by_fingerprint_.end() ? nullptr : found->second;
  }
  std::size_t clients() const { return clients_; }
  std::int64_t revision() const { return revision_; }

 private:
  friend class ClientDirectory;
  absl::flat_hash_map<std::string, std::shared_ptr<const ClientRecord>> by_fingerprint_;
  std::size_t clients_ = 0;
  std::int64_t revision_ = 0;
};

// The clients that the main server knows, as last heard. One thread calls LoadCache, Apply and
// AbandonSteps; the rest is thread-safe.
class ClientDirectory {
 public:
  // `cache_file`: where the last revision is kept for a start without the server; empty: nowhere.
  // `default_limits`: the limit of a domain's clients that have none of their own; empty: no limit.
  using DefaultLimits = std::function<RateLimit(std::string_view domain)>;
  explicit ClientDirectory(std::string cache_file, DefaultLimits default_limits = {});

  // Takes over what was kept. NotFound when nothing was, DataLoss when the file is not readable as
  // a directory; the directory then stays empty.
  absl::Status LoadCache();

  // Applies one step of the watch. Steps without a revision are held back until the one that has
  // it. A failure to write the cache file is logged, and otherwise changes nothing.
  void Apply(const v1::WatchClientsResponse& step);
  // Forgets steps held back: the stream that brought them ended.
  void AbandonSteps();

  // Asks for the default limits again, after they have changed.
  void RefreshLimits();

  // The last published snapshot, never null; before the first one it is empty with revision 0.
  std::shared_ptr<const DirectorySnapshot> Current() const;
  // Rises with every published snapshot: readers keep their own pointer until this changes.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::int64_t revision() const { return Current()->revision(); }

 private:
  using Clients = std::map<std::string, v1::Client>;
  void Publish(std::int64_t revision);
  void WriteCache(std::int64_t revision) const;

  const std::string cache_file_;
  const DefaultLimits default_limits_;
  std::mutex writing_;  // What follows, up to `mutex_`.
  Clients clients_;
  std::map<std::string, std::shared_ptr<RateMeter>> meters_;
  Clients staged_;  // The next revision while its steps arrive.
  bool staging_ = false;

  mutable std::mutex mutex_;
  std::shared_ptr<const DirectorySnapshot> current_;
  std::atomic<std::uint64_t> version_{0};
};

// One lane's view: asks the directory only when it has changed. Not thread-safe.
class DirectoryView {
 public:
  explicit DirectoryView(const ClientDirectory& directory) : directory_(directory) {}
  const DirectorySnapshot& Get() {
    const std::uint64_t version = directory_.version();
    if (snapshot_ == nullptr || version != version_) {
      snapshot_ = directory_.Current();
      version_ = version;
    }
    return *snapshot_;
  }

 private:
  const ClientDirectory& directory_;
  std::shared_ptr<const DirectorySnapshot> snapshot_;
  std::uint64_t version_ = 0;
};

// Why a peer may not speak to the edge: values of a metric's label.
inline constexpr std::array<std::string_view, 6> kPeerRejections{
    "role", "trust_domain", "common_name", "unknown_fingerprint", "other_client", "domain"};

// Whether a connection that was let in may stay: as CheckPeer, and its client is active. A
// suspended client's new connection is let in to be told so by an answer.
absl::Status CheckStay(const tls::PeerCertificate& peer, std::string_view trust_domain,
                       const DirectorySnapshot& directory);

// Whether a peer may speak to the edge at all: its certificate names a client of the trust domain,
// its CN is the client id, and the fingerprint is registered for that client. PermissionDenied, its
// message one of kPeerRejections.
absl::Status CheckPeer(const tls::PeerCertificate& peer, std::string_view trust_domain,
                       const DirectorySnapshot& directory);

}  // namespace postern::edge
