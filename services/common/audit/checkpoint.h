#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace postern::audit {

// What a server says the log was at a moment, kept off the table: who can change the table cannot
// change this.
struct Checkpoint {
  std::string server;
  std::int64_t sequence = 0;
  std::string hash;  // 32 bytes: of the row `sequence`.
  std::int64_t at_us = 0;
};

struct FreeKey {
  void operator()(EVP_PKEY* key) const noexcept;
};
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeKey>;

// Signs checkpoints (Ed25519, RFC 8032). Thread-safe.
class CheckpointSigner {
 public:
  // Makes a key.
  static CheckpointSigner Generate();
  // From a private key as PrivatePem gives it. InvalidArgument when it is none of Ed25519.
  static absl::StatusOr<CheckpointSigner> FromPem(std::string_view pem);

  std::string PrivatePem() const;
  std::string PublicPem() const;
  // One line of JSON, with the newline.
  std::string Line(const Checkpoint& checkpoint) const;

 private:
  explicit CheckpointSigner(KeyHandle key);
  KeyHandle key_;
  std::string key_id_;
};

// Reads checkpoint files. Not thread-safe.
class CheckpointReader {
 public:
  // Trusts the holder of this public key (PEM). InvalidArgument when it is none of Ed25519.
  absl::Status AddKey(std::string_view public_pem);
  // All checkpoints of a file. A last line without newline is left out: the server was killed while
  // it wrote it. InvalidArgument names the first line that is no checkpoint, is signed by a key
  // that was not added, or was altered.
  absl::StatusOr<std::vector<Checkpoint>> Read(std::string_view content) const;

 private:
  struct Known {
    std::string id;
    KeyHandle key;
  };
  absl::StatusOr<Checkpoint> ReadLine(const std::string& line) const;
  std::vector<Known> keys_;
};

}  // namespace postern::audit
