#include "services/common/tls/key_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_error.h"
#include "services/common/crypto/openssl_ptr.h"

namespace postern::tls {
namespace {

crypto::BioPtr Reader(std::string_view text) {
  return crypto::BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

absl::StatusOr<crypto::Secret> ReadKeyPair(const Files& files) {
  const auto chain = ReadFile(files.certificate);
  if (!chain.ok()) return chain.status();
  auto key_text = ReadSecretFile(files.key);
  if (!key_text.ok()) return key_text.status();
  std::string both = StrCat(*chain, "\n", *key_text, "\n");
  OPENSSL_cleanse(key_text->data(), key_text->size());
  crypto::Secret pair(both);
  OPENSSL_cleanse(both.data(), both.size());
  // An encrypted key would ask on the terminal: the empty password makes it an error instead.
  char no_password[] = "";
  ERR_clear_error();
  const crypto::X509Ptr leaf(
      PEM_read_bio_X509(Reader(pair.view()).get(), nullptr, nullptr, nullptr));
  if (leaf == nullptr) {
    return absl::FailedPreconditionError(
        StrCat("certificate file ", files.certificate, ": ", crypto::OpenSslReason()));
  }
  const crypto::KeyPtr key(
      PEM_read_bio_PrivateKey(Reader(pair.view()).get(), nullptr, nullptr, no_password));
  if (key == nullptr) {
    return absl::FailedPreconditionError(
        StrCat("key file ", files.key, ": ", crypto::OpenSslReason()));
  }
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::FailedPreconditionError(
        StrCat("key file ", files.key, " does not belong to certificate file ", files.certificate));
  }
  return pair;
}

}  // namespace postern::tls
