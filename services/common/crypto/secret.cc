#include "services/common/crypto/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <utility>

#include "services/common/crypto/openssl_check.h"

namespace postern::crypto {

Secret::Secret(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}

Secret::~Secret() { Wipe(); }

Secret::Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

Secret Secret::Random(std::size_t size) {
  Secret secret;
  secret.bytes_.resize(size);
  RequireOpenSsl(RAND_priv_bytes(reinterpret_cast<unsigned char*>(secret.bytes_.data()),
                                 static_cast<int>(size)) == 1,
                 "RAND_priv_bytes");
  return secret;
}

void Secret::Wipe() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

}  // namespace postern::crypto
