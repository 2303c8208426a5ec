#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/crypto/secret.h"

namespace postern::crypto {

inline constexpr std::size_t kAeadKeySize = 32;
inline constexpr std::size_t kAeadNonceSize = 12;
inline constexpr std::size_t kAeadTagSize = 16;

// AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces under one key. Output: nonce, ciphertext,
// tag in one string. Keeps an OpenSSL context with the key expanded. Not thread-safe: one per
// thread.
class Aead {
 public:
  // InvalidArgument unless the key has 32 bytes.
  static absl::StatusOr<Aead> Create(std::string_view key);
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();

  std::string Seal(std::string_view plaintext, std::string_view additional_data);
  // DataLoss when the ciphertext, the additional data or the key is not the one that sealed it.
  absl::StatusOr<std::string> Open(std::string_view sealed, std::string_view additional_data);

 private:
  struct Impl;
  explicit Aead(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::crypto
