#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/message_request.h"
#include "services/common/crypto/hash.h"

namespace postern::edge {

// Hashes under the key that all edges share: what one edge made, another understands, and nobody
// else can make one or read out of it what was hashed. One per lane; not thread-safe.
class KeyedHasher {
 public:
  static constexpr std::size_t kBytes = 16;

  // `keys` must outlive this.
  explicit KeyedHasher(const DataKeys& keys) : keys_(keys) {}

  // Takes over a new key. Unavailable when none has come yet. To be called before the others.
  absl::Status Prepare();
  // What stands for a client's idempotency key in the queue, kBytes.
  std::string KeyName(std::string_view client_id, std::string_view key);
  // Of everything that a message says, kBytes: the same whatever blanks and escapes its JSON has.
  std::string Fingerprint(const MessageRequest& request);
  // Ties a place in a list to the client and to the filter, kBytes.
  std::string CursorTag(std::string_view client_id, std::string_view filter,
                        std::string_view place);

 private:
  std::string Hash(std::string_view kind, std::initializer_list<std::string_view> parts);

  const DataKeys& keys_;
  std::uint64_t version_ = 0;
  std::optional<crypto::Hmac> hmac_;
};

}  // namespace postern::edge
