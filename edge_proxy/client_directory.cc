#include "edge_proxy/client_directory.h"

#include <utility>

#include "services/common/base/files.h"
#include "services/common/log/log.h"
#include "services/common/redis/queue_layout.h"

namespace postern::edge {

namespace {

RateLimit LimitOf(const v1::ClientLimits& limits) {
  RateLimit limit;
  limit.per_second = limits.messages_per_second();
  limit.burst = limits.burst();
  limit.per_day = limits.messages_per_day();
  return limit;
}

}  // namespace

ClientDirectory::ClientDirectory(std::string cache_file, DefaultLimits default_limits)
    : cache_file_(std::move(cache_file)),
      default_limits_(std::move(default_limits)),
      current_(std::make_shared<DirectorySnapshot>()) {}

absl::Status ClientDirectory::LoadCache() {
  if (cache_file_.empty()) return absl::NotFoundError("no cache file is configured");
  const absl::StatusOr<std::string> content = ReadFile(cache_file_);
  if (!content.ok()) return content.status();
  v1::WatchClientsResponse kept;
  if (!kept.ParseFromString(*content) || !kept.snapshot() || kept.revision() <= 0) {
    return absl::DataLossError(cache_file_ + " is not a client directory; it will be replaced");
  }
  const std::lock_guard lock(writing_);
  for (v1::Client& client : *kept.mutable_clients()) {
    std::string id = client.client_id();
    clients_.insert_or_assign(std::move(id), std::move(client));
  }
  Publish(kept.revision());
  return absl::OkStatus();
}

void ClientDirectory::Apply(const v1::WatchClientsResponse& step) {
  const std::lock_guard lock(writing_);
  if (step.snapshot()) {
    staged_.clear();
  } else if (!staging_) {
    staged_ = clients_;
  }
  staging_ = true;
  for (const v1::Client& client : step.clients()) {
    staged_.insert_or_assign(client.client_id(), client);
  }
  if (step.revision() == 0) return;
  clients_ = std::move(staged_);
  staged_.clear();
  staging_ = false;
  Publish(step.revision());
  WriteCache(step.revision());
}

void ClientDirectory::AbandonSteps() {
  const std::lock_guard lock(writing_);
  staged_.clear();
  staging_ = false;
}

void ClientDirectory::RefreshLimits() {
  const std::lock_guard lock(writing_);
  Publish(revision());
}

void ClientDirectory::Publish(std::int64_t revision) {
  auto next = std::make_shared<DirectorySnapshot>();
  next->revision_ = revision;
  next->clients_ = clients_.size();
  next->by_fingerprint_.reserve(clients_.size());
  for (const auto& [id, client] : clients_) {
    auto record = std::make_shared<ClientRecord>();
    record->client_id = id;
    record->domain = client.domain();
    record->active = client.state() == v1::CLIENT_STATE_ACTIVE;
    record->shard = redis::ShardOf(id);
    record->limit = client.has_limits() || !default_limits_ ? LimitOf(client.limits())
                                                            : default_limits_(client.domain());
    std::shared_ptr<RateMeter>& meter = meters_[id];
    if (meter == nullptr) meter = std::make_shared<RateMeter>();
    record->meter = meter;
    for (const std::string& fingerprint : client.certificate_sha256()) {
      next->by_fingerprint_.insert_or_assign(fingerprint, record);
    }
  }
  std::erase_if(meters_, [this](const auto& entry) { return !clients_.contains(entry.first); });
  const std::lock_guard lock(mutex_);
  current_ = std::move(next);
  version_.fetch_add(1, std::memory_order_release);
}

void ClientDirectory::WriteCache(std::int64_t revision) const {
  if (cache_file_.empty()) return;
  v1::WatchClientsResponse kept;
  kept.set_snapshot(true);
  kept.set_revision(revision);
  for (const auto& [id, client] : clients_) *kept.add_clients() = client;
  const absl::Status written = WriteFileAtomically(cache_file_, kept.SerializeAsString());
  if (!written.ok()) log::Warn("directory_cache_not_written", "reason", written.message());
}

std::shared_ptr<const DirectorySnapshot> ClientDirectory::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

absl::Status CheckPeer(const tls::PeerCertificate& peer, std::string_view trust_domain,
                       const DirectorySnapshot& directory) {
  if (peer.id.role != tls::Role::kClient) return absl::PermissionDeniedError("role");
  if (peer.id.trust_domain != trust_domain) return absl::PermissionDeniedError("trust_domain");
  if (peer.common_name != peer.id.name) return absl::PermissionDeniedError("common_name");
  const ClientRecord* client = directory.Find(peer.sha256_hex);
  if (client == nullptr) return absl::PermissionDeniedError("unknown_fingerprint");
  if (client->client_id != peer.id.name) return absl::PermissionDeniedError("other_client");
  return absl::OkStatus();
}

absl::Status CheckStay(const tls::PeerCertificate& peer, std::string_view trust_domain,
                       const DirectorySnapshot& directory) {
  const absl::Status admitted = CheckPeer(peer, trust_domain, directory);
  if (!admitted.ok()) return admitted;
  if (!directory.Find(peer.sha256_hex)->active) return absl::PermissionDeniedError("suspended");
  return absl::OkStatus();
}

}  // namespace postern::edge
