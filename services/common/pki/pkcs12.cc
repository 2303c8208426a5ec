#include "services/common/pki/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_check.h"
#include "services/common/crypto/secret.h"
#include "services/common/pki/key.h"

namespace postern::pki {
namespace {

// Of PBKDF2 and of the MAC. A password of 8 characters is the reader's to choose well.
constexpr int kIterations = 20'000;

}  // namespace

absl::StatusOr<std::string> MakePkcs12(EVP_PKEY* key, X509* certificate,
                                       std::span<const crypto::X509Ptr> authorities,
                                       std::string_view name, std::string_view password) {
  if (password.size() < kPkcs12PasswordMin || password.size() > kPkcs12PasswordMax ||
      password.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("the password of a PKCS#12 file has 8 to 128 bytes");
  }
  if (!SamePublicKey(key, X509_get0_pubkey(certificate))) {
    return absl::InvalidArgumentError("the key does not belong to the certificate");
  }
  STACK_OF(X509)* const above = sk_X509_new_null();
  const absl::Cleanup free_stack = [above] { sk_X509_free(above); };
  for (const crypto::X509Ptr& authority : authorities) sk_X509_push(above, authority.get());
  // OpenSSL wants C strings.
  std::string secret(password);
  const absl::Cleanup wipe = [&secret] { OPENSSL_cleanse(secret.data(), secret.size()); };
  const std::unique_ptr<PKCS12, crypto::OpenSslFree<&PKCS12_free>> file(
      PKCS12_create(secret.c_str(), std::string(name).c_str(), key, certificate, above,
                    NID_aes_256_cbc, NID_aes_256_cbc, kIterations, -1, 0));
  crypto::RequireOpenSsl(file != nullptr, "PKCS12_create");
  crypto::RequireOpenSsl(
      PKCS12_set_mac(file.get(), secret.c_str(), -1, nullptr, 0, kIterations, EVP_sha256()) == 1,
      "PKCS12_set_mac");
  unsigned char* der = nullptr;
  const int size = i2d_PKCS12(file.get(), &der);
  crypto::RequireOpenSsl(size > 0, "i2d_PKCS12");
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

}  // namespace postern::pki
