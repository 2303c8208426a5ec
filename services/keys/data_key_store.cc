#include "services/keys/data_key_store.h"

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/aead.h"
#include "services/common/log/log.h"

namespace postern::keys {
namespace {

// Not under a master key that was retired while the data key was on its way: nobody could open it.
constexpr char kInsert[] =
    "INSERT INTO data_keys (id, master_key_version, wrapped, created_at_us, created_for) "
    "SELECT ?,?,?,?,? FROM DUAL WHERE NOT EXISTS "
    "(SELECT 1 FROM master_keys WHERE version = ? AND retired_at_us > 0) "
    "ON DUPLICATE KEY UPDATE id = data_keys.id";
constexpr char kRepair[] =
    "UPDATE data_keys SET master_key_version = ?, wrapped = ? WHERE id = ? AND wrapped = ?";
constexpr char kSelect[] = "SELECT master_key_version, wrapped FROM data_keys WHERE id = ?";

constexpr std::chrono::seconds kFindTimeout{2};
// Far more than live edges have; when it is reached, memory starts again from the table.
constexpr std::size_t kCacheMax = 10'000;
constexpr char kUnusableHelp[] = "Messages whose data key was not usable when it was looked up.";

// Stands for the process that asked, when the key came with a message.
constexpr std::string_view kAdopted = "adopted";

// How many rows were written: 0 when the table knows the key, or its master key is retired.
absl::StatusOr<std::int64_t> Insert(db::Connection& connection, const Uuid& id,
                                    const v1::WrappedDataKey& wrapped,
                                    std::string_view created_for) {
  const std::int64_t version = wrapped.master_key_version();
  return connection.Execute(kInsert, {id.bytes(), version, std::string_view(wrapped.ciphertext()),
                                      NowMicros(), created_for, version});
}

// Empty ciphertext: the table does not know the key.
absl::StatusOr<v1::WrappedDataKey> Select(db::Connection& connection, const Uuid& id) {
  v1::WrappedDataKey wrapped;
  const absl::Status status =
      connection.Query(kSelect, {id.bytes()}, [&wrapped](const db::Row& row) {
        wrapped.set_master_key_version(static_cast<std::uint32_t>(row.Int(0)));
        wrapped.set_ciphertext(row.String(1));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return wrapped;
}

}  // namespace

DataKeyStore::DataKeyStore(MasterKeys master_keys, db::Executor& database,
                           metrics::Registry& metrics)
    : database_(database),
      created_(metrics.Counter("postern_data_keys_created_total", "Data keys made for edges.")),
      adopted_(metrics.Counter("postern_data_keys_adopted_total",
                               "Data keys that came with a message and were not in the table.")),
      unusable_(metrics.Counter("postern_data_keys_unusable_total", kUnusableHelp)),
      repaired_(metrics.Counter("postern_data_keys_repaired_total",
                                "Data keys whose row was damaged and was written anew from what "
                                "came with a message.")),
      master_keys_(std::make_shared<const MasterKeys>(std::move(master_keys))) {}

void DataKeyStore::UseMasterKeys(MasterKeys master_keys) {
  auto shared = std::make_shared<const MasterKeys>(std::move(master_keys));
  const std::lock_guard lock(mutex_);
  master_keys_ = std::move(shared);
}

std::shared_ptr<const MasterKeys> DataKeyStore::Masters() const {
  const std::lock_guard lock(mutex_);
  return master_keys_;
}

bool DataKeyStore::TryCreate(std::string created_for, Deadline deadline, OnCreated on_created) {
  return database_.TrySubmit(deadline, [this, created_for = std::move(created_for),
                                        on_created = std::move(on_created)](auto connection) {
    on_created(connection.ok() ? Create(**connection, created_for)
                               : absl::StatusOr<NewDataKey>(connection.status()));
  });
}

absl::StatusOr<NewDataKey> DataKeyStore::Create(db::Connection& connection,
                                                const std::string& created_for) {
  const std::shared_ptr<const MasterKeys> masters = Masters();
  if (!masters->CanWrap()) {
    return absl::UnavailableError(
        StrCat("no master key of version ", masters->active(), ", which wraps data keys"));
  }
  NewDataKey created;
  created.id = Uuid::Random();
  created.key = crypto::Secret::Random(crypto::kAeadKeySize);
  created.wrapped = masters->Wrap(created.id, created.key);
  const auto inserted = Insert(connection, created.id, created.wrapped, created_for);
  if (!inserted.ok()) return inserted.status();
  if (*inserted == 0) {
    return absl::UnavailableError(
        StrCat("master key version ", masters->active(), " was retired; try again"));
  }
  created_.Increment();
  Remember(created.id, std::make_shared<const crypto::Secret>(created.key.Clone()));
  return created;
}

absl::StatusOr<std::shared_ptr<const crypto::Secret>> DataKeyStore::Find(
    const Uuid& id, const v1::WrappedDataKey& wrapped) {
  if (auto cached = Cached(id)) return cached;
  // Shared: the work may outlive a caller that has stopped waiting.
  auto promise = std::make_shared<std::promise<absl::StatusOr<crypto::Secret>>>();
  auto found = promise->get_future();
  auto load = [this, promise, id, wrapped](absl::StatusOr<db::Connection*> connection) {
    promise->set_value(connection.ok() ? Load(**connection, id, wrapped)
                                       : absl::StatusOr<crypto::Secret>(connection.status()));
  };
  if (!database_.TrySubmit(Deadline::After(kFindTimeout), std::move(load))) {
    return absl::UnavailableError("too many data keys are being looked up");
  }
  if (found.wait_for(kFindTimeout) != std::future_status::ready) {
    return absl::UnavailableError("the database did not give the data key in time");
  }
  absl::StatusOr<crypto::Secret> key = found.get();
  if (absl::IsFailedPrecondition(key.status())) {
    unusable_.Increment();
    return key.status();
  }
  // Whatever the database said: it was not able to tell.
  if (!key.ok()) return absl::UnavailableError(key.status().message());
  auto shared = std::make_shared<const crypto::Secret>(*std::move(key));
  Remember(id, shared);
  return shared;
}

absl::StatusOr<crypto::Secret> DataKeyStore::Load(db::Connection& connection, const Uuid& id,
                                                  const v1::WrappedDataKey& carried) const {
  absl::StatusOr<v1::WrappedDataKey> stored = Select(connection, id);
  if (!stored.ok()) return absl::UnavailableError(stored.status().message());
  const std::shared_ptr<const MasterKeys> masters = Masters();
  const bool known = !stored->ciphertext().empty();
  absl::StatusOr<crypto::Secret> own =
      known ? masters->Unwrap(id, *stored)
            : absl::FailedPreconditionError(StrCat("data key ", id.ToString(), " is unknown"));
  if (own.ok() || carried.ciphertext().empty()) return own;
  // Only what the master key vouches for enters the table.
  absl::StatusOr<crypto::Secret> key = masters->Unwrap(id, carried);
  if (!key.ok()) return known ? std::move(own) : std::move(key);
  if (!known) {
    const auto inserted = Insert(connection, id, carried, kAdopted);
    if (!inserted.ok()) return absl::UnavailableError(inserted.status().message());
    adopted_.Increment();
    return key;
  }
  const auto repaired = connection.Execute(
      kRepair, {std::int64_t{carried.master_key_version()}, std::string_view(carried.ciphertext()),
                id.bytes(), std::string_view(stored->ciphertext())});
  if (!repaired.ok()) return absl::UnavailableError(repaired.status().message());
  log::Warn("data_key_repaired", "id", id.ToString());
  repaired_.Increment();
  return key;
}

std::shared_ptr<const crypto::Secret> DataKeyStore::Cached(const Uuid& id) {
  const std::lock_guard lock(mutex_);
  const auto found = cache_.find(id);
  return found == cache_.end() ? nullptr : found->second;
}

void DataKeyStore::Remember(const Uuid& id, std::shared_ptr<const crypto::Secret> key) {
  const std::lock_guard lock(mutex_);
  if (cache_.size() >= kCacheMax) cache_.clear();
  cache_.emplace(id, std::move(key));
}

}  // namespace postern::keys
