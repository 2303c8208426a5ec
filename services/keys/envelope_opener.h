#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/envelope_cipher.h"
#include "services/keys/data_key_store.h"
#include "services/keys/number_index.h"

namespace postern::keys {

// The ciphertexts of one message and what their additional data binds. Views: valid during the
// call.
struct Sealed {
  Uuid message_id;
  Uuid data_key_id;
  std::string_view client_id;
  std::string_view encrypted_body;
  std::string_view encrypted_number;
  const v1::WrappedDataKey* wrapped_data_key = nullptr;  // Never null; may be empty.
};

// Plaintext of one message.
struct Opened {
  std::string body;
  std::string number;
};

// Opens messages; keeps the expanded cipher of each data key that it has met. Not thread-safe: one
// per thread.
class EnvelopeOpener {
 public:
  EnvelopeOpener(std::shared_ptr<DataKeyStore> data_keys, const crypto::Secret& index_key);

  // FailedPrecondition and Unavailable as from DataKeyStore::Find; DataLoss when a ciphertext was altered or belongs to
  // another message, client or field.
  absl::StatusOr<Opened> Open(const Sealed& sealed);
  NumberIndex& number_index() { return number_index_; }

 private:
  absl::StatusOr<crypto::Aead*> Cipher(const Uuid& data_key_id, const v1::WrappedDataKey& wrapped);

  const std::shared_ptr<DataKeyStore> data_keys_;
  NumberIndex number_index_;
  absl::flat_hash_map<Uuid, crypto::Aead> ciphers_;
};

}  // namespace postern::keys
