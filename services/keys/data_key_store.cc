#include "services/keys/data_key_store.h"

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/aead.h"

namespace postern::keys {
namespace {

constexpr char kInsert[] =
    "INSERT INTO data_keys (id, master_key_version, wrapped, created_at_us, created_for) "
    "VALUES (?,?,?,?,?) ON DUPLICATE KEY UPDATE id = id";
constexpr char kSelect[] = "SELECT master_key_version, wrapped FROM data_keys WHERE id = ?";

constexpr std::chrono::seconds kFindTimeout{2};
// Far more than live edges have; when it is reached, memory starts again from the table.
constexpr std::size_t kCacheMax = 10'000;
constexpr char kUnusableHelp[] = "Messages whose data key was not usable when it was looked up.";

// Stands for the process that asked, when the key came with a message.
constexpr std::string_view kAdopted = "adopted";

absl::Status Insert(db::Connection& connection, const Uuid& id, const v1::WrappedDataKey& wrapped,
                    std::string_view created_for) {
  const std::vector<db::Value> values = {id.bytes(), std::int64_t{wrapped.master_key_version()},
                                         std::string_view(wrapped.ciphertext()), NowMicros(),
                                         created_for};
  return connection.Execute(kInsert, values).status();
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
    : master_keys_(std::move(master_keys)),
      database_(database),
      created_(metrics.Counter("postern_data_keys_created_total", "Data keys made for edges.")),
      adopted_(metrics.Counter("postern_data_keys_adopted_total",
                               "Data keys that came with a message and were not in the table.")),
      unusable_(metrics.Counter("postern_data_keys_unusable_total", kUnusableHelp)) {}

bool DataKeyStore::TryCreate(std::string created_for, Deadline deadline, OnCreated on_created) {
  auto created = std::make_shared<NewDataKey>();
  created->id = Uuid::Random();
  created->key = crypto::Secret::Random(crypto::kAeadKeySize);
  created->wrapped = master_keys_.Wrap(created->id, created->key);
  return database_.TrySubmit(deadline, [this, created, created_for = std::move(created_for),
                                        on_created = std::move(on_created)](auto connection) {
    absl::Status status = connection.status();
    if (status.ok()) status = Insert(**connection, created->id, created->wrapped, created_for);
    if (!status.ok()) return on_created(std::move(status));
    created_.Increment();
    Remember(created->id, std::make_shared<const crypto::Secret>(created->key.Clone()));
    on_created(std::move(*created));
  });
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
  if (!key.ok()) {
    unusable_.Increment();
    return absl::UnavailableError(key.status().message());
  }
  auto shared = std::make_shared<const crypto::Secret>(*std::move(key));
  Remember(id, shared);
  return shared;
}

absl::StatusOr<crypto::Secret> DataKeyStore::Load(db::Connection& connection, const Uuid& id,
                                                  const v1::WrappedDataKey& carried) const {
  absl::StatusOr<v1::WrappedDataKey> stored = Select(connection, id);
  if (!stored.ok()) return stored.status();
  if (!stored->ciphertext().empty()) return master_keys_.Unwrap(id, *stored);
  if (carried.ciphertext().empty()) {
    return absl::UnavailableError(StrCat("data key ", id.ToString(), " is unknown"));
  }
  // Only what the master key vouches for enters the table.
  absl::StatusOr<crypto::Secret> key = master_keys_.Unwrap(id, carried);
  if (!key.ok()) return key;
  if (absl::Status status = Insert(connection, id, carried, kAdopted); !status.ok()) return status;
  adopted_.Increment();
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
