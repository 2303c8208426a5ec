#include "services/common/crypto/aead.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "services/common/base/random.h"
#include "services/common/crypto/openssl_check.h"

namespace postern::crypto {
namespace {

constexpr std::size_t kNoncesPerRefill = 64;
constexpr std::size_t kInputMax = std::numeric_limits<int>::max();

// Fetched once for the process: EVP_aes_256_gcm() would be looked up again at every use (OpenSSL
// 3).
const EVP_CIPHER* Aes256Gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  RequireOpenSsl(cipher != nullptr, "EVP_CIPHER_fetch");
  return cipher;
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(char* text) { return reinterpret_cast<unsigned char*>(text); }

}  // namespace

struct Aead::Impl {
  Context encrypt{EVP_CIPHER_CTX_new()};
  Context decrypt{EVP_CIPHER_CTX_new()};
  std::array<std::uint8_t, kNoncesPerRefill * kAeadNonceSize> nonces{};
  std::size_t nonces_used = kNoncesPerRefill * kAeadNonceSize;

  // The next nonce, valid until the next call.
  const std::uint8_t* NextNonce() {
    if (nonces_used == nonces.size()) {
      FillRandom(nonces);
      nonces_used = 0;
    }
    const std::uint8_t* nonce = nonces.data() + nonces_used;
    nonces_used += kAeadNonceSize;
    return nonce;
  }
};

Aead::Aead(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() = default;

absl::StatusOr<Aead> Aead::Create(std::string_view key) {
  if (key.size() != kAeadKeySize) {
    return absl::InvalidArgumentError("an AES-256-GCM key has 32 bytes");
  }
  auto impl = std::make_unique<Impl>();
  RequireOpenSsl(impl->encrypt != nullptr && impl->decrypt != nullptr, "EVP_CIPHER_CTX_new");
  RequireOpenSsl(
      EVP_EncryptInit_ex2(impl->encrypt.get(), Aes256Gcm(), Bytes(key), nullptr, nullptr) == 1,
      "EVP_EncryptInit_ex2");
  RequireOpenSsl(
      EVP_DecryptInit_ex2(impl->decrypt.get(), Aes256Gcm(), Bytes(key), nullptr, nullptr) == 1,
      "EVP_DecryptInit_ex2");
  return Aead(std::move(impl));
}

std::string Aead::Seal(std::string_view plaintext, std::string_view additional_data) {
  RequireOpenSsl(plaintext.size() < kInputMax && additional_data.size() < kInputMax,
                 "Seal of more than 2 GiB");
  EVP_CIPHER_CTX* const context = impl_->encrypt.get();
  const std::uint8_t* const nonce = impl_->NextNonce();

  std::string sealed(kAeadNonceSize + plaintext.size() + kAeadTagSize, '\0');
  std::copy(nonce, nonce + kAeadNonceSize, sealed.begin());
  char* const ciphertext = sealed.data() + kAeadNonceSize;
  int size = 0;
  bool ok = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce, nullptr) == 1;
  ok = ok && (additional_data.empty() ||
              EVP_EncryptUpdate(context, nullptr, &size, Bytes(additional_data),
                                static_cast<int>(additional_data.size())) == 1);
  ok = ok &&
       (plaintext.empty() || EVP_EncryptUpdate(context, Bytes(ciphertext), &size, Bytes(plaintext),
                                               static_cast<int>(plaintext.size())) == 1);
  char* const tag = ciphertext + plaintext.size();
  ok = ok && EVP_EncryptFinal_ex(context, Bytes(tag), &size) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag) == 1;
  RequireOpenSsl(ok, "AES-256-GCM encryption");
  return sealed;
}

absl::StatusOr<std::string> Aead::Open(std::string_view sealed, std::string_view additional_data) {
  if (sealed.size() < kAeadNonceSize + kAeadTagSize || sealed.size() > kInputMax ||
      additional_data.size() > kInputMax) {
    return absl::DataLossError("ciphertext has an impossible length");
  }
  EVP_CIPHER_CTX* const context = impl_->decrypt.get();
  const std::string_view nonce = sealed.substr(0, kAeadNonceSize);
  const std::string_view ciphertext =
      sealed.substr(kAeadNonceSize, sealed.size() - kAeadNonceSize - kAeadTagSize);
  std::array<char, kAeadTagSize> tag;
  std::copy(sealed.end() - kAeadTagSize, sealed.end(), tag.begin());

  std::string plaintext(ciphertext.size(), '\0');
  int size = 0;
  bool ok = EVP_DecryptInit_ex2(context, nullptr, nullptr, Bytes(nonce), nullptr) == 1;
  ok = ok && (additional_data.empty() ||
              EVP_DecryptUpdate(context, nullptr, &size, Bytes(additional_data),
                                static_cast<int>(additional_data.size())) == 1);
  ok = ok && (ciphertext.empty() ||
              EVP_DecryptUpdate(context, Bytes(plaintext.data()), &size, Bytes(ciphertext),
                                static_cast<int>(ciphertext.size())) == 1);
  ok = ok && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag.data()) == 1;
  RequireOpenSsl(ok, "AES-256-GCM decryption");
  // The block after the tag check is empty in GCM; OpenSSL still wants somewhere to put it.
  std::array<unsigned char, kAeadTagSize> rest;
  if (EVP_DecryptFinal_ex(context, rest.data(), &size) != 1) {
    return absl::DataLossError("ciphertext does not authenticate");
  }
  return plaintext;
}

}  // namespace postern::crypto
