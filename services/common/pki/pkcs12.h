#pragma once

#include <openssl/types.h>

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/crypto/openssl_ptr.h"

namespace postern::pki {

inline constexpr std::size_t kPkcs12PasswordMin = 8;
inline constexpr std::size_t kPkcs12PasswordMax = 128;

// A PKCS#12 file (RFC 7292): the key, its certificate and the CAs above, encrypted with AES-256-CBC
// and PBKDF2, MAC with SHA-256. InvalidArgument for a password of another length than 8 to 128
// bytes, or a key that does not belong to the certificate.
absl::StatusOr<std::string> MakePkcs12(EVP_PKEY* key, X509* certificate,
                                       std::span<const crypto::X509Ptr> authorities,
                                       std::string_view name, std::string_view password);

}  // namespace postern::pki
