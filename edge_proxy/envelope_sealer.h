#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "edge_proxy/client_directory.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/message_request.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/aead.h"

namespace postern::edge {

// Turns a message into the envelope that leaves the edge: number and body become ciphertext. One
// per lane; not thread-safe.
class EnvelopeSealer {
 public:
  // `keys` must outlive this.
  explicit EnvelopeSealer(const DataKeys& keys) : keys_(keys) {}

  // The serialised envelope. Takes `request` apart. Unavailable when there is no usable data key.
  absl::StatusOr<std::string> Seal(const Uuid& id, const ClientRecord& client,
                                   MessageRequest request, std::int64_t accepted_at_us,
                                   std::string traceparent);

 private:
  // Takes over a new key, and claims encryptions of the current one.
  absl::Status Prepare();

  const DataKeys& keys_;
  std::shared_ptr<DataKey> key_;
  std::uint64_t key_version_ = 0;
  std::uint64_t reserved_ = 0;  // Encryptions claimed and not yet used.
  std::optional<crypto::Aead> aead_;
  v1::Envelope
      envelope_;  // Kept, so that its strings keep their memory and the key is copied once.
};

}  // namespace postern::edge
