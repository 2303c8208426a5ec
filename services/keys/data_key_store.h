#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/executor.h"
#include "services/common/metrics/metrics.h"
#include "services/keys/master_keys.h"

namespace postern::keys {

// A data key as its creator gets it.
struct NewDataKey {
  Uuid id;
  crypto::Secret key;
  v1::WrappedDataKey wrapped;
};

// Data keys: the table `data_keys` holds them wrapped, memory the unwrapped ones that were used. A
// key is in memory only when it is in the table too. Thread-safe.
class DataKeyStore {
 public:
  using OnCreated = std::function<void(absl::StatusOr<NewDataKey>)>;

  // `database` is used by blocking calls of Find: its threads must never call Find themselves.
  DataKeyStore(MasterKeys master_keys, db::Executor& database, metrics::Registry& metrics);

  // Uses these master keys from now on. What runs goes on with those that it began with.
  void UseMasterKeys(MasterKeys master_keys);
  std::shared_ptr<const MasterKeys> Masters() const;

  // Makes a key and puts it into the table, then calls back on a database thread: once, when this
  // answered true. False: the database queue is full. `created_for` names the process that asked,
  // such as `edge/a`. Unavailable when the master key that wraps is not here or was retired a
  // moment ago.
  [[nodiscard]] bool TryCreate(std::string created_for, Deadline deadline, OnCreated on_created);

  // The key with this id. One that the table does not hold is taken over from `wrapped` (how it
  // travelled with a message) and put into the table; so is one that the table holds damaged.
  // Blocks for at most a few seconds when the key is not in memory. FailedPrecondition when there is
  // no usable key: unknown, or wrapped by a master key that is not here. Unavailable when the
  // database is away or too slow to tell.
  absl::StatusOr<std::shared_ptr<const crypto::Secret>> Find(const Uuid& id,
                                                             const v1::WrappedDataKey& wrapped);

 private:
  absl::StatusOr<NewDataKey> Create(db::Connection& connection, const std::string& created_for);
  std::shared_ptr<const crypto::Secret> Cached(const Uuid& id);
  void Remember(const Uuid& id, std::shared_ptr<const crypto::Secret> key);
  absl::StatusOr<crypto::Secret> Load(db::Connection& connection, const Uuid& id,
                                      const v1::WrappedDataKey& carried) const;
  db::Executor& database_;
  prometheus::Counter& created_;
  prometheus::Counter& adopted_;
  prometheus::Counter& unusable_;
  prometheus::Counter& repaired_;
  mutable std::mutex mutex_;
  std::shared_ptr<const MasterKeys> master_keys_;
  absl::flat_hash_map<Uuid, std::shared_ptr<const crypto::Secret>> cache_;
};

}  // namespace postern::keys
