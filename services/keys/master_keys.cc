#include "services/keys/master_keys.h"

#include <openssl/crypto.h>

#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/hash.h"

namespace postern::keys {
namespace {

// What a check value is of. Part of the table `master_keys`: never change it.
constexpr char kCheckText[] = "postern master key";
constexpr std::size_t kCheckValueSize = 16;

}  // namespace

MasterKeys::MasterKeys(std::map<std::uint32_t, crypto::Secret> keys, std::uint32_t active)
    : keys_(std::move(keys)),
      active_(active != 0 || keys_.empty() ? active : keys_.rbegin()->first) {}

std::string MasterKeys::CheckValue(const crypto::Secret& key) {
  return crypto::Hmac(key.view()).Sign(kCheckText).substr(0, kCheckValueSize);
}

v1::WrappedDataKey MasterKeys::Wrap(const Uuid& data_key_id, const crypto::Secret& data_key) const {
  v1::WrappedDataKey wrapped;
  wrapped.set_master_key_version(active_);
  auto aead = crypto::Aead::Create(keys_.at(active_).view());
  wrapped.set_ciphertext(aead->Seal(data_key.view(), data_key_id.bytes()));
  return wrapped;
}

absl::StatusOr<crypto::Secret> MasterKeys::Unwrap(const Uuid& data_key_id,
                                                  const v1::WrappedDataKey& wrapped) const {
  const auto master_key = keys_.find(wrapped.master_key_version());
  if (master_key == keys_.end()) {
    return absl::FailedPreconditionError(
        StrCat("no master key of version ", wrapped.master_key_version()));
  }
  auto aead = crypto::Aead::Create(master_key->second.view());
  if (!aead.ok()) return aead.status();
  absl::StatusOr<std::string> opened = aead->Open(wrapped.ciphertext(), data_key_id.bytes());
  if (!opened.ok() || opened->size() != crypto::kAeadKeySize) {
    return absl::FailedPreconditionError(StrCat("data key ", data_key_id.ToString(),
                                                " does not open with master key version ",
                                                wrapped.master_key_version()));
  }
  crypto::Secret key(*opened);
  OPENSSL_cleanse(opened->data(), opened->size());
  return key;
}

}  // namespace postern::keys
