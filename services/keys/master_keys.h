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
// nothing else. The active version wraps, every version unwraps. Immutable, so thread-safe.
class MasterKeys {
 public:
  // `keys` as from ReadKeyFile, 32 bytes each. `active`: which of them wraps; 0: the highest.
  explicit MasterKeys(std::map<std::uint32_t, crypto::Secret> keys, std::uint32_t active = 0);

  // 16 bytes that tell whether two keys are the same, and nothing else about them (HMAC-SHA-256 of
  // a constant).
  static std::string CheckValue(const crypto::Secret& key);

  std::uint32_t active() const { return active_; }
  // Whether the active key is here. Wrap needs it.
  bool CanWrap() const { return keys_.contains(active_); }
  v1::WrappedDataKey Wrap(const Uuid& data_key_id, const crypto::Secret& data_key) const;
  // Unavailable when the master key of that version is not here or is another one: an outage, not a
  // damaged message.
  absl::StatusOr<crypto::Secret> Unwrap(const Uuid& data_key_id,
                                        const v1::WrappedDataKey& wrapped) const;

 private:
  std::map<std::uint32_t, crypto::Secret> keys_;
  std::uint32_t active_;
};

}  // namespace postern::keys
