#include "services/common/pki/serial.h"

#include <openssl/asn1.h>

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "services/common/base/encoding.h"
#include "services/common/base/random.h"
#include "services/common/base/strings.h"

namespace postern::pki {
namespace {

constexpr std::size_t kRandomSize = 16;

}  // namespace

Serial Serial::Random() {
  Serial serial;
  FillRandom({serial.bytes_.data(), kRandomSize});
  // Positive in DER, and always of the same length.
  serial.bytes_[0] = static_cast<std::uint8_t>((serial.bytes_[0] & 0x3f) | 0x40);
  serial.size_ = kRandomSize;
  return serial;
}

absl::StatusOr<Serial> Serial::FromHex(std::string_view text) {
  std::string digits = absl::StrReplaceAll(ToAbsl(text), {{":", ""}});
  if (digits.size() % 2 == 1) digits.insert(digits.begin(), '0');
  const absl::StatusOr<std::string> bytes = HexDecode(digits);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError("a serial number is hexadecimal, with or without colons");
  }
  return FromBytes(*bytes);
}

absl::StatusOr<Serial> Serial::FromBytes(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of('\0'), bytes.size()));
  if (bytes.empty() || bytes.size() > kSizeMax) {
    return absl::InvalidArgumentError("a serial number is greater than 0 and has at most 20 bytes");
  }
  Serial serial;
  std::memcpy(serial.bytes_.data(), bytes.data(), bytes.size());
  serial.size_ = static_cast<std::uint8_t>(bytes.size());
  return serial;
}

absl::StatusOr<Serial> Serial::FromAsn1(const ASN1_INTEGER* number) {
  if (number == nullptr || ASN1_STRING_type(number) != V_ASN1_INTEGER) {
    return absl::InvalidArgumentError("a serial number is greater than 0 and has at most 20 bytes");
  }
  return FromBytes({reinterpret_cast<const char*>(ASN1_STRING_get0_data(number)),
                    static_cast<std::size_t>(ASN1_STRING_length(number))});
}

std::string Serial::hex() const {
  std::string text = HexEncode(bytes());
  if (!text.empty() && text.front() == '0') text.erase(0, 1);
  return text;
}

}  // namespace postern::pki
