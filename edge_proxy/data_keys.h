#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "postern/v1/key_service.grpc.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"
#include "services/common/metrics/metrics.h"

namespace postern::edge {

// A data key in use. Only the count of its encryptions changes. Thread-safe.
class DataKey {
 public:
  // InvalidArgument when the server's answer is not a usable key.
  static absl::StatusOr<std::shared_ptr<DataKey>> Create(const v1::CreateDataKeyResponse& answer);

  const Uuid& id() const { return id_; }
  std::string_view key() const { return key_.view(); }
  const v1::WrappedDataKey& wrapped() const { return wrapped_; }
  // Of HMAC-SHA-256, 32 bytes, the same for all edges: it came with the data key.
  std::string_view edge_hash_key() const { return edge_hash_key_.view(); }

  // Claims `count` encryptions for one lane. False once the hard limit of the cipher is reached:
  // the key must not encrypt any more.
  bool Reserve(std::uint64_t count);
  // Whether two thirds of its age or of its encryptions are gone, so that the next key should be
  // fetched.
  bool WantsSuccessor() const;

 private:
  DataKey() = default;
  Uuid id_;
  crypto::Secret key_;
  crypto::Secret edge_hash_key_;
  v1::WrappedDataKey wrapped_;
  std::chrono::steady_clock::time_point successor_due_;
  std::uint64_t successor_at_count_ = 0;
  std::atomic<std::uint64_t> used_{0};
};

// Fetches data keys from the main server, on a thread of its own: one at start, the next one ahead
// of time. While the server is away the last one goes on being used up to the hard limit.
class DataKeys {
 public:
  DataKeys(std::shared_ptr<grpc::Channel> channel, metrics::Registry& metrics);
  ~DataKeys();

  void Start();
  // Idempotent. The current key stays usable.
  void Stop();

  // Null until the first key has come. Thread-safe.
  std::shared_ptr<DataKey> Current() const;
  // Rises with every new key. Thread-safe.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  bool ready() const { return version() != 0; }

 private:
  void Run();
  bool Fetch();
  bool Pause(std::chrono::milliseconds duration);

  const std::unique_ptr<v1::KeyService::Stub> stub_;
  prometheus::Counter& fetched_;
  prometheus::Counter& failed_;
  std::atomic<std::uint64_t> version_{0};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<DataKey> current_;
  bool stopping_ = false;
  grpc::ClientContext* context_ = nullptr;  // Of the call under way.
  std::thread thread_;
};

}  // namespace postern::edge
