#include "services/server/key_secret_wrapper.h"

#include <utility>

namespace postern::server {
namespace {

class KeySecretWrapper final : public identity::SecretWrapper {
 public:
  explicit KeySecretWrapper(std::shared_ptr<keys::DataKeyStore> data_keys)
      : data_keys_(std::move(data_keys)) {}

  std::uint32_t version() const override { return data_keys_->Masters()->active(); }

  absl::StatusOr<v1::WrappedDataKey> Wrap(const Uuid& id,
                                          const crypto::Secret& secret) const override {
    const auto masters = data_keys_->Masters();
    if (!masters->CanWrap()) return absl::UnavailableError("the active master key is not here");
    return masters->Wrap(id, secret);
  }

  absl::StatusOr<crypto::Secret> Unwrap(const Uuid& id,
                                        const v1::WrappedDataKey& wrapped) const override {
    return data_keys_->Masters()->Unwrap(id, wrapped);
  }

 private:
  const std::shared_ptr<keys::DataKeyStore> data_keys_;
};

}  // namespace

std::unique_ptr<identity::SecretWrapper> MakeSecretWrapper(
    std::shared_ptr<keys::DataKeyStore> data_keys) {
  return std::make_unique<KeySecretWrapper>(std::move(data_keys));
}

}  // namespace postern::server
