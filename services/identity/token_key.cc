#include "services/identity/token_key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <utility>

#include "services/common/crypto/hash.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/key.h"
#include "services/identity/limits.h"

namespace postern::identity {
namespace {

constexpr std::size_t kSecretSize = 32;
// What the refresh key is derived for: another text would end every grace time.
constexpr char kRefreshLabel[] = "postern refresh tokens";

// ECPrivateKey (RFC 5915) of P-256 without its public half, which OpenSSL computes.
crypto::KeyPtr KeyOf(std::string_view scalar) {
  constexpr unsigned char kHead[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
  constexpr unsigned char kTail[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                     0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  std::string der(reinterpret_cast<const char*>(kHead), sizeof kHead);
  der.append(scalar).append(reinterpret_cast<const char*>(kTail), sizeof kTail);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  crypto::KeyPtr key(d2i_PrivateKey(EVP_PKEY_EC, nullptr, &at, static_cast<long>(der.size())));
  OPENSSL_cleanse(der.data(), der.size());
  return key;
}

std::string PublicPem(EVP_PKEY* key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  if (memory == nullptr || PEM_write_bio_PUBKEY(memory.get(), key) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

crypto::Secret NewTokenSecret() {
  while (true) {
    crypto::Secret secret = crypto::Secret::Random(kSecretSize);
    if (KeyOf(secret.view()) != nullptr) return secret;
  }
}

absl::StatusOr<std::shared_ptr<const TokenKey>> MakeTokenKey(const Uuid& id,
                                                             std::int64_t created_at_us,
                                                             const crypto::Secret& secret) {
  const crypto::KeyPtr key = secret.size() == kSecretSize ? KeyOf(secret.view()) : nullptr;
  if (key == nullptr) return absl::DataLossError("a token key is not one");
  auto made = std::make_shared<TokenKey>();
  made->id = id;
  made->created_at_us = created_at_us;
  made->private_pem = pki::PrivateKeyPem(key.get(), "");
  made->public_pem = PublicPem(key.get());
  if (made->public_pem.empty()) return absl::DataLossError("a token key has no public half");
  made->refresh_key = crypto::Secret(crypto::Hmac(secret.view()).Sign(kRefreshLabel));
  return std::shared_ptr<const TokenKey>(std::move(made));
}

std::shared_ptr<const TokenKey> SigningKey(const TokenKeys& keys, std::int64_t now_us) {
  std::shared_ptr<const TokenKey> youngest_settled;
  std::shared_ptr<const TokenKey> oldest;
  for (const auto& [id, key] : keys) {
    if (oldest == nullptr || key->created_at_us < oldest->created_at_us) oldest = key;
    if (key->created_at_us > now_us - Micros(kTokenKeySettle)) continue;
    if (youngest_settled == nullptr || key->created_at_us > youngest_settled->created_at_us) {
      youngest_settled = key;
    }
  }
  return youngest_settled != nullptr ? youngest_settled : oldest;
}

}  // namespace postern::identity
