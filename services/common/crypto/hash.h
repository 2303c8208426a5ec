#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace postern::crypto {

// SHA-256, 32 bytes.
std::string Sha256(std::string_view data);

// HMAC-SHA-256 with one key. Keeps a keyed context. Not thread-safe: one per thread.
class Hmac {
 public:
  explicit Hmac(std::string_view key);
  Hmac(Hmac&&) noexcept;
  Hmac& operator=(Hmac&&) noexcept;
  ~Hmac();
  // 32 bytes.
  std::string Sign(std::string_view data);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// In time that does not depend on where they differ.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace postern::crypto
