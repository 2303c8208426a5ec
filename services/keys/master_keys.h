#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"

namespace postern::keys {

// The master keys: they wrap data keys (AES-256-GCM, the data key's id as additional data) and
// nothing else. The highest version wraps, every version unwraps. Immutable, so thread-safe.
class MasterKeys {
 public:
  // `keys` as from ReadKeyFile: not empty, 32 bytes each.
  explicit MasterKeys(std::map<std::uint32_t, crypto::Secret> keys) : keys_(std::move(keys)) {}

  v1::WrappedDataKey Wrap(const Uuid& data_key_id, const crypto::Secret& data_key) const;
  // Unavailable when the master key of that version is not here or is another one: an outage, not a
  // damaged message.
  absl::StatusOr<crypto::Secret> Unwrap(const Uuid& data_key_id,
                                        const v1::WrappedDataKey& wrapped) const;

 private:
  std::map<std::uint32_t, crypto::Secret> keys_;
};

}  // namespace postern::keys
