#include "edge_proxy/data_keys.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "edge_proxy/limits.h"
#include "services/common/crypto/aead.h"
#include "services/common/log/log.h"

namespace postern::edge {

absl::StatusOr<std::shared_ptr<DataKey>> DataKey::Create(const v1::CreateDataKeyResponse& answer) {
  absl::StatusOr<Uuid> id = Uuid::FromBytes(answer.data_key_id());
  if (!id.ok()) return absl::InvalidArgumentError("the data key's id has not 16 bytes");
  if (answer.plaintext_key().size() != crypto::kAeadKeySize) {
    return absl::InvalidArgumentError("the data key has not 32 bytes");
  }
  if (answer.wrapped_data_key().ciphertext().empty() || answer.max_age_seconds() <= 0 ||
      answer.max_encryptions() <= 0) {
    return absl::InvalidArgumentError("the data key comes without wrapped form, age or count");
  }
  if (answer.edge_hash_key().size() != crypto::kAeadKeySize) {
    return absl::InvalidArgumentError("the data key comes without a hash key of 32 bytes");
  }
  std::shared_ptr<DataKey> key(new DataKey());
  key->id_ = *id;
  key->key_ = crypto::Secret(answer.plaintext_key());
  key->edge_hash_key_ = crypto::Secret(answer.edge_hash_key());
  key->wrapped_ = answer.wrapped_data_key();
  key->successor_due_ =
      std::chrono::steady_clock::now() + std::chrono::seconds(answer.max_age_seconds()) * 2 / 3;
  const auto count = static_cast<std::uint64_t>(answer.max_encryptions());
  key->successor_at_count_ = std::min(count, kEncryptionsHardMax) / 3 * 2;
  return key;
}

bool DataKey::Reserve(std::uint64_t count) {
  if (used_.fetch_add(count, std::memory_order_relaxed) + count <= kEncryptionsHardMax) return true;
  used_.fetch_sub(count, std::memory_order_relaxed);
  return false;
}

bool DataKey::WantsSuccessor() const {
  return std::chrono::steady_clock::now() >= successor_due_ ||
         used_.load(std::memory_order_relaxed) >= successor_at_count_;
}

DataKeys::DataKeys(std::shared_ptr<grpc::Channel> channel, metrics::Registry& metrics)
    : stub_(v1::KeyService::NewStub(std::move(channel))),
      fetched_(metrics.Counter("postern_data_keys_total", "Data keys asked for, by result.",
                               {{"result", "fetched"}})),
      failed_(metrics.Counter("postern_data_keys_total", "Data keys asked for, by result.",
                              {{"result", "failed"}})) {}

DataKeys::~DataKeys() { Stop(); }

void DataKeys::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DataKeys::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<DataKey> DataKeys::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

bool DataKeys::Pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, duration, [this] { return stopping_; });
}

void DataKeys::Run() {
  bool go_on = true;
  while (go_on) {
    const std::shared_ptr<DataKey> key = Current();
    const bool wanted = key == nullptr || key->WantsSuccessor();
    go_on = Pause(wanted && !Fetch() ? kDataKeyRetryPause : kDataKeyCheckInterval);
  }
}

bool DataKeys::Fetch() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDataKeyDeadline);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    context_ = &context;
  }
  v1::CreateDataKeyResponse answer;
  const grpc::Status status = stub_->CreateDataKey(&context, v1::CreateDataKeyRequest(), &answer);
  absl::StatusOr<std::shared_ptr<DataKey>> key =
      status.ok() ? DataKey::Create(answer) : absl::UnavailableError(status.error_message());
  OPENSSL_cleanse(answer.mutable_plaintext_key()->data(), answer.plaintext_key().size());
  OPENSSL_cleanse(answer.mutable_edge_hash_key()->data(), answer.edge_hash_key().size());

  static log::RateLimit limit(/*interval_ms=*/10'000);
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  if (!key.ok()) {
    failed_.Increment();
    if (!stopping_ && limit.Allow()) {
      log::Warn("data_key_not_fetched", "code", static_cast<int>(status.error_code()), "reason",
                key.status().message());
    }
    return false;
  }
  current_ = *std::move(key);
  version_.fetch_add(1, std::memory_order_release);
  fetched_.Increment();
  log::Info("data_key_in_use", "id", current_->id().ToString());
  return true;
}

}  // namespace postern::edge
