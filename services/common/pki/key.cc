#include "services/common/pki/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>

#include <array>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"
#include "services/common/crypto/openssl_check.h"
#include "services/common/crypto/openssl_error.h"

namespace postern::pki {
namespace {

using crypto::RequireOpenSsl;

constexpr std::uint64_t kScryptN = 16'384;
constexpr std::uint64_t kScryptR = 8;
constexpr std::uint64_t kScryptP = 1;
constexpr int kScryptSaltSize = 16;
constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 4096;
constexpr BN_ULONG kRsaExponentMin = 65'537;

constexpr std::array<std::pair<std::string_view, KeyKind>, 3> kKinds = {{
    {"ec-p256", KeyKind::kEcP256},
    {"ec-p384", KeyKind::kEcP384},
    {"rsa-3072", KeyKind::kRsa3072},
}};

using Pkcs8Ptr =
    std::unique_ptr<PKCS8_PRIV_KEY_INFO, crypto::OpenSslFree<&PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8Ptr = std::unique_ptr<X509_SIG, crypto::OpenSslFree<&X509_SIG_free>>;

crypto::Secret Drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  crypto::Secret text(std::string_view(data, static_cast<std::size_t>(size)));
  OPENSSL_cleanse(data, static_cast<std::size_t>(size));
  return text;
}

void WriteEncrypted(BIO* bio, PKCS8_PRIV_KEY_INFO* info, std::string_view passphrase) {
  X509_ALGOR* method = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, kScryptSaltSize, nullptr,
                                             kScryptN, kScryptR, kScryptP);
  RequireOpenSsl(method != nullptr, "PKCS5_pbe2_set_scrypt");
  // Owns `method` once it has succeeded.
  const EncryptedPkcs8Ptr encrypted(
      PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), info, method));
  RequireOpenSsl(encrypted != nullptr, "PKCS8_set0_pbe");
  RequireOpenSsl(PEM_write_bio_PKCS8(bio, encrypted.get()) == 1, "PEM_write_bio_PKCS8");
}

// OpenSSL asks for the passphrase through this; `user` is a std::string_view.
int GivePassphrase(char* buffer, int size, int /*writing*/, void* user) {
  const auto& passphrase = *static_cast<const std::string_view*>(user);
  if (passphrase.size() > static_cast<std::size_t>(size)) return -1;
  passphrase.copy(buffer, passphrase.size());
  return static_cast<int>(passphrase.size());
}

std::string GroupName(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) {
    ERR_clear_error();
    return "";
  }
  return {name.data(), size};
}

absl::Status CheckRsa(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
    return absl::InvalidArgumentError(
        StrCat("the RSA key has ", bits, " bits: 2048 to 4096 are allowed"));
  }
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the RSA key has no public exponent");
  }
  const crypto::BigNumberPtr exponent(raw);
  // BN_get_word is all ones for what does not fit.
  if (BN_is_odd(exponent.get()) != 1 || BN_get_word(exponent.get()) < kRsaExponentMin) {
    return absl::InvalidArgumentError("the RSA key's exponent is not odd or less than 65537");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KeyKind> ParseKeyKind(std::string_view text) {
  for (const auto& [name, kind] : kKinds) {
    if (name == text) return kind;
  }
  return absl::InvalidArgumentError(
      StrCat(text, " is not a kind of key: use ec-p256, ec-p384 or rsa-3072"));
}

crypto::KeyPtr GenerateKey(KeyKind kind) {
  crypto::KeyPtr key;
  switch (kind) {
    case KeyKind::kEcP256:
      key.reset(EVP_EC_gen("P-256"));
      break;
    case KeyKind::kEcP384:
      key.reset(EVP_EC_gen("P-384"));
      break;
    case KeyKind::kRsa3072:
      key.reset(EVP_RSA_gen(3072));
      break;
  }
  RequireOpenSsl(key != nullptr, "key generation");
  return key;
}

crypto::Secret PrivateKeyPem(EVP_PKEY* key, std::string_view passphrase) {
  const crypto::BioPtr bio(BIO_new(BIO_s_secmem()));
  RequireOpenSsl(bio != nullptr, "BIO_new");
  const Pkcs8Ptr info(EVP_PKEY2PKCS8(key));
  RequireOpenSsl(info != nullptr, "EVP_PKEY2PKCS8");
  if (passphrase.empty()) {
    RequireOpenSsl(PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio.get(), info.get()) == 1,
                   "PEM_write_bio_PKCS8_PRIV_KEY_INFO");
  } else {
    WriteEncrypted(bio.get(), info.get(), passphrase);
  }
  return Drain(bio.get());
}

absl::StatusOr<crypto::KeyPtr> ParsePrivateKey(const std::string& name, std::string_view pem,
                                               std::string_view passphrase) {
  const crypto::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  ERR_clear_error();
  crypto::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassphrase, &passphrase));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (pem.find("ENCRYPTED") == std::string_view::npos) {
    return absl::FailedPreconditionError(StrCat(name, " holds no private key in PEM"));
  }
  return absl::FailedPreconditionError(
      passphrase.empty() ? StrCat(name, " is encrypted and no passphrase file is named")
                         : StrCat(name, " does not open with the passphrase given"));
}

std::string KeyType(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: {
      const std::string group = GroupName(key);
      if (group == "prime256v1") return "EC P-256";
      if (group == "secp384r1") return "EC P-384";
      return group.empty() ? "EC with explicit parameters" : StrCat("EC ", group);
    }
    case EVP_PKEY_RSA:
      return StrCat("RSA ", EVP_PKEY_get_bits(key));
    default: {
      const char* name = EVP_PKEY_get0_type_name(key);
      return name == nullptr ? "unknown" : name;
    }
  }
}

absl::Status CheckPublicKey(const EVP_PKEY* key) {
  const std::string type = KeyType(key);
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return CheckRsa(key);
  if (type == "EC P-256" || type == "EC P-384") return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("the key is ", type, ": EC P-256, EC P-384 and RSA of 2048 to 4096 bits are allowed"));
}

std::string PublicKeySha256(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  RequireOpenSsl(size > 0, "i2d_PUBKEY");
  std::string digest = crypto::Sha256(
      std::string_view(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return digest;
}

bool SamePublicKey(const EVP_PKEY* a, const EVP_PKEY* b) {
  const bool same = EVP_PKEY_eq(a, b) == 1;
  ERR_clear_error();
  return same;
}

}  // namespace postern::pki
