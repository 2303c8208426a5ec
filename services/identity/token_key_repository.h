#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/connection.h"

namespace postern::identity {

// Wraps 32-byte secrets under the master key. This domain needs it and does not know how it is
// done: the domain of the keys does it, the composition root joins them. Thread-safe.
class SecretWrapper {
 public:
  virtual ~SecretWrapper() = default;
  // The version of the master key that Wrap uses.
  virtual std::uint32_t version() const = 0;
  // Unavailable when that version is not here.
  virtual absl::StatusOr<v1::WrappedDataKey> Wrap(const Uuid& id,
                                                  const crypto::Secret& secret) const = 0;
  // Unavailable when no master key here opens it.
  virtual absl::StatusOr<crypto::Secret> Unwrap(const Uuid& id,
                                                const v1::WrappedDataKey& wrapped) const = 0;
};

// A row of `token_keys`.
struct TokenKeyRow {
  Uuid id;
  v1::WrappedDataKey wrapped;
  std::int64_t created_at_us = 0;
};

// The youngest first.
absl::StatusOr<std::vector<TokenKeyRow>> SelectTokenKeys(db::Connection& connection);
absl::Status InsertTokenKey(db::Connection& connection, const TokenKeyRow& row);
absl::Status DeleteTokenKey(db::Connection& connection, const Uuid& id);

}  // namespace postern::identity
