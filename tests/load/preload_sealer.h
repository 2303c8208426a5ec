#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/connection.h"
#include "services/keys/number_index.h"
#include "tests/load/preload_message.h"

namespace postern::load {

// The keys that preloaded messages are sealed with.
class PreloadKeys {
 public:
  // Reads the main server's key files and makes a data key. Errors as keys::ReadKeyFile gives them.
  static absl::StatusOr<PreloadKeys> Read(const std::string& master_key_file,
                                          const std::string& index_key_file);
  // Puts the data key into the table, so that the main server can open what it sealed.
  absl::Status Store(db::Connection& connection) const;

  const Uuid& id() const { return id_; }
  const crypto::Secret& data_key() const { return data_key_; }
  const crypto::Secret& index_key() const { return index_key_; }
  const v1::WrappedDataKey& wrapped() const { return wrapped_; }

 private:
  Uuid id_;
  crypto::Secret data_key_;
  crypto::Secret index_key_;
  v1::WrappedDataKey wrapped_;
};

// Makes envelopes as an edge does. Not thread-safe: one per thread. `keys` outlive it.
class PreloadSealer {
 public:
  explicit PreloadSealer(const PreloadKeys& keys);

  // Both ciphertexts open under the data key; those of a message that is retried never do: its
  // master key is nowhere.
  v1::Envelope Seal(const PreloadMessage& message);
  // 32 bytes.
  std::string HashNumber(std::string_view number) { return index_.Hash(number); }

 private:
  const PreloadKeys& keys_;
  crypto::Aead aead_;
  keys::NumberIndex index_;
  const Uuid unknown_key_ = Uuid::Random();
};

}  // namespace postern::load
