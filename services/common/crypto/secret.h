#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace postern::crypto {

// Bytes that are wiped (OPENSSL_cleanse) when they go. Movable, not copyable, never printed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes);
  ~Secret();
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // `size` bytes from OpenSSL's private generator.
  static Secret Random(std::size_t size);
  Secret Clone() const { return Secret(view()); }

  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

 private:
  void Wipe();
  std::vector<char> bytes_;
};

}  // namespace postern::crypto
