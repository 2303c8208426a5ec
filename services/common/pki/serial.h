#pragma once

#include <openssl/types.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace postern::pki {

// The serial number of a certificate: positive, at most 20 bytes (RFC 5280, 4.1.2.2). A value: copy
// freely.
class Serial {
 public:
  static constexpr std::size_t kSizeMax = 20;

  // No number: equal to no certificate's.
  Serial() = default;

  // 127 random bits from OpenSSL's generator, always 16 bytes.
  static Serial Random();
  // Hexadecimal, either case, colons allowed. InvalidArgument otherwise.
  static absl::StatusOr<Serial> FromHex(std::string_view text);
  // Big-endian; leading zeros are taken off. InvalidArgument for none, zero or too many.
  static absl::StatusOr<Serial> FromBytes(std::string_view bytes);
  // InvalidArgument when it is not positive or too long.
  static absl::StatusOr<Serial> FromAsn1(const ASN1_INTEGER* number);

  // Lower-case hexadecimal without leading zeros, as tls::PeerCertificate has it.
  std::string hex() const;
  // Big-endian without leading zeros, valid as long as this value.
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), static_cast<std::size_t>(size_)};
  }
  bool empty() const { return size_ == 0; }

  friend auto operator<=>(const Serial&, const Serial&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Serial& serial) {
    return H::combine_contiguous(std::move(h), serial.bytes_.data(), kSizeMax);
  }

 private:
  std::array<std::uint8_t, kSizeMax> bytes_{};
  std::uint8_t size_ = 0;
};

}  // namespace postern::pki
