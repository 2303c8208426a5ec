#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/crypto/secret.h"

namespace postern::pki {

// The keys that Postern makes.
enum class KeyKind { kEcP256, kEcP384, kRsa3072 };

// `ec-p256`, `ec-p384` or `rsa-3072`. InvalidArgument names them.
absl::StatusOr<KeyKind> ParseKeyKind(std::string_view text);

crypto::KeyPtr GenerateKey(KeyKind kind);

// PKCS#8 in PEM. With a passphrase encrypted: AES-256-CBC under a key derived by scrypt (N 16384,
// r 8, p 1); empty: not encrypted.
crypto::Secret PrivateKeyPem(EVP_PKEY* key, std::string_view passphrase);

// FailedPrecondition when it is no PEM of a private key, when the passphrase is wrong, or when it
// is encrypted and `passphrase` is empty. `name` stands for the file in errors.
absl::StatusOr<crypto::KeyPtr> ParsePrivateKey(const std::string& name, std::string_view pem,
                                               std::string_view passphrase);

// `EC P-256`, `RSA 3072`, or OpenSSL's name of another algorithm.
std::string KeyType(const EVP_PKEY* key);

// Whether a key may be certified: EC on P-256 or P-384, RSA of 2048 to 4096 bits with an odd
// exponent from 65537. InvalidArgument says what it is and what it should be.
absl::Status CheckPublicKey(const EVP_PKEY* key);

// SHA-256 of the SubjectPublicKeyInfo in DER, 32 bytes.
std::string PublicKeySha256(const EVP_PKEY* key);

// Whether both halves belong together.
bool SamePublicKey(const EVP_PKEY* a, const EVP_PKEY* b);

}  // namespace postern::pki
