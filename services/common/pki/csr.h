#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/crypto/openssl_ptr.h"

namespace postern::pki {

// A larger certificate request is refused before it is looked at.
inline constexpr std::size_t kCsrBytesMax = 16 * 1024;

// What counts of a certificate request (PKCS#10, RFC 2986): the key, of which the sender has shown
// that it holds the private half, and the name that the sender believes to have. Extensions that it
// asks for are not even read.
struct Csr {
  crypto::KeyPtr public_key;
  std::string common_name;  // Empty when it names none.
};

// PEM or DER. InvalidArgument says what is wrong: too large, not a request or more than one, a key
// that may not be certified (CheckPublicKey), a signature that is missing, weak or not of that key,
// several common names.
absl::StatusOr<Csr> ParseCsr(std::string_view request);

// A request in PEM for `key`, CN `common_name` (at most 64 characters; none when empty), signed
// with SHA-256.
std::string MakeCsr(EVP_PKEY* key, std::string_view common_name);

}  // namespace postern::pki
