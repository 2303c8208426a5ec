#include "services/common/crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <utility>

#include "services/common/crypto/openssl_check.h"

namespace postern::crypto {
namespace {

constexpr std::size_t kSha256Size = 32;

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
struct FreeMacContext {
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

}  // namespace

std::string Sha256(std::string_view data) {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeDigestContext> context(EVP_MD_CTX_new());
  std::string hash(kSha256Size, '\0');
  RequireOpenSsl(digest != nullptr && context != nullptr &&
                     EVP_DigestInit_ex2(context.get(), digest, nullptr) == 1 &&
                     EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1 &&
                     EVP_DigestFinal_ex(context.get(), Bytes(hash), nullptr) == 1,
                 "SHA-256");
  return hash;
}

struct Hmac::Impl {
  std::unique_ptr<EVP_MAC_CTX, FreeMacContext> context;
};

Hmac::Hmac(std::string_view key) : impl_(std::make_unique<Impl>()) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  RequireOpenSsl(algorithm != nullptr, "EVP_MAC_fetch");
  impl_->context.reset(EVP_MAC_CTX_new(algorithm));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  // An empty key must not be a null pointer, which would mean "no key yet".
  const std::string_view key_bytes = key.empty() ? std::string_view("") : key;
  RequireOpenSsl(impl_->context != nullptr && EVP_MAC_init(impl_->context.get(), Bytes(key_bytes),
                                                           key_bytes.size(), parameters) == 1,
                 "EVP_MAC_init");
}

Hmac::Hmac(Hmac&&) noexcept = default;
Hmac& Hmac::operator=(Hmac&&) noexcept = default;
Hmac::~Hmac() = default;

std::string Hmac::Sign(std::string_view data) {
  EVP_MAC_CTX* const context = impl_->context.get();
  std::string mac(kSha256Size, '\0');
  std::size_t size = 0;
  // Without a key, EVP_MAC_init starts again with the one that the context holds.
  RequireOpenSsl(EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
                     EVP_MAC_update(context, Bytes(data), data.size()) == 1 &&
                     EVP_MAC_final(context, Bytes(mac), &size, mac.size()) == 1,
                 "HMAC-SHA-256");
  return mac;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace postern::crypto
