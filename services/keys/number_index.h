#pragma once

#include <string>
#include <string_view>

#include "services/common/crypto/hash.h"
#include "services/common/crypto/secret.h"

namespace postern::keys {

// Makes numbers findable without keeping them: HMAC-SHA-256 under the index key, which only main
// servers have. Not thread-safe: one per thread.
class NumberIndex {
 public:
  explicit NumberIndex(const crypto::Secret& index_key) : hmac_(index_key.view()) {}
  // 32 bytes. `number`: E.164 with its plus sign.
  std::string Hash(std::string_view number) { return hmac_.Sign(number); }

 private:
  crypto::Hmac hmac_;
};

// The key by which edges hash idempotency keys and what was sent with them: made out of the index
// key, so that all servers give the same one, and useless for finding numbers.
crypto::Secret DeriveEdgeHashKey(const crypto::Secret& index_key);

// For people: `+14155550123` as `+1415*****23`. At least 5 digits are hidden: short numbers show
// less.
std::string MaskNumber(std::string_view number);

}  // namespace postern::keys
