#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"

namespace postern::identity {

// A key that signs access tokens (ECDSA, P-256) and leads from a refresh token to the next one.
// Immutable.
struct TokenKey {
  Uuid id;
  std::int64_t created_at_us = 0;
  crypto::Secret private_pem;
  std::string public_pem;
  crypto::Secret refresh_key;  // 32 bytes.
};

// 32 random bytes that are a private key of P-256.
crypto::Secret NewTokenSecret();

// The key that `secret` stands for. DataLoss when it stands for none.
absl::StatusOr<std::shared_ptr<const TokenKey>> MakeTokenKey(const Uuid& id,
                                                             std::int64_t created_at_us,
                                                             const crypto::Secret& secret);

// The keys by id, those that only verify included. Immutable.
using TokenKeys = std::map<Uuid, std::shared_ptr<const TokenKey>>;

// The key to sign with: the youngest that every server knows by now, or the oldest of all. Null
// without any.
std::shared_ptr<const TokenKey> SigningKey(const TokenKeys& keys, std::int64_t now_us);

}  // namespace postern::identity
