#include "services/common/pki/csr.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_check.h"
#include "services/common/pki/key.h"
#include "services/common/pki/pem.h"

namespace postern::pki {
namespace {

constexpr char kLabel[] = "CERTIFICATE REQUEST";
// SHA-1 and MD5 can be forged, and what a signature proves is gone with them.
constexpr std::array kSignatures = {NID_ecdsa_with_SHA256,
                                    NID_ecdsa_with_SHA384,
                                    NID_ecdsa_with_SHA512,
                                    NID_sha256WithRSAEncryption,
                                    NID_sha384WithRSAEncryption,
                                    NID_sha512WithRSAEncryption,
                                    NID_rsassaPss};

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("certificate request: ", what));
}

absl::StatusOr<crypto::X509RequestPtr> Decode(std::string_view text) {
  if (text.empty()) return Invalid("it is empty; make one with `openssl req -new`");
  if (text.size() > kCsrBytesMax) {
    return Invalid(StrCat("it has ", text.size(), " bytes: ", kCsrBytesMax, " are the most"));
  }
  const absl::StatusOr<std::string> der = DerOf(text, kLabel);
  if (!der.ok()) return Invalid(ToStd(der.status().message()));
  const auto* begin = reinterpret_cast<const unsigned char*>(der->data());
  const unsigned char* end = begin;
  crypto::X509RequestPtr request(d2i_X509_REQ(nullptr, &end, static_cast<long>(der->size())));
  ERR_clear_error();
  if (request == nullptr) return Invalid("it is neither PEM nor DER of PKCS#10, or torn");
  if (static_cast<std::size_t>(end - begin) != der->size()) {
    return Invalid("there are bytes after its end");
  }
  return request;
}

absl::Status CheckSignature(X509_REQ* request, EVP_PKEY* key) {
  const ASN1_BIT_STRING* signature = nullptr;
  X509_REQ_get0_signature(request, &signature, nullptr);
  if (signature == nullptr || ASN1_STRING_length(signature) == 0) {
    return Invalid("it is not signed; sign it with the key that it holds");
  }
  const int algorithm = X509_REQ_get_signature_nid(request);
  if (std::find(kSignatures.begin(), kSignatures.end(), algorithm) == kSignatures.end()) {
    const char* name = OBJ_nid2ln(algorithm);
    return Invalid(StrCat("it is signed with ", name == nullptr ? "an unknown algorithm" : name,
                          ": use ECDSA or RSA with SHA-256"));
  }
  const bool good = X509_REQ_verify(request, key) == 1;
  ERR_clear_error();
  if (!good) return Invalid("its signature is not of the key that it holds");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Csr> ParseCsr(std::string_view text) {
  const absl::StatusOr<crypto::X509RequestPtr> request = Decode(text);
  if (!request.ok()) return request.status();
  Csr csr;
  csr.public_key.reset(X509_REQ_get_pubkey(request->get()));
  ERR_clear_error();
  if (csr.public_key == nullptr) return Invalid("its key is broken or of an unknown algorithm");
  if (absl::Status status = CheckPublicKey(csr.public_key.get()); !status.ok()) {
    return Invalid(ToStd(status.message()));
  }
  if (absl::Status status = CheckSignature(request->get(), csr.public_key.get()); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::string> name = CommonNameOf(X509_REQ_get_subject_name(request->get()));
  if (!name.ok()) return Invalid(ToStd(name.status().message()));
  csr.common_name = *std::move(name);
  return csr;
}

std::string MakeCsr(EVP_PKEY* key, std::string_view common_name) {
  const crypto::X509RequestPtr request(X509_REQ_new());
  crypto::RequireOpenSsl(request != nullptr, "X509_REQ_new");
  if (!common_name.empty()) {
    AppendToName(X509_REQ_get_subject_name(request.get()), "CN", common_name);
  }
  crypto::RequireOpenSsl(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
                             X509_REQ_set_pubkey(request.get(), key) == 1 &&
                             X509_REQ_sign(request.get(), key, EVP_sha256()) > 0,
                         "X509_REQ_sign");
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  crypto::RequireOpenSsl(size > 0, "i2d_X509_REQ");
  std::string pem =
      PemOf({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}, kLabel);
  OPENSSL_free(der);
  return pem;
}

}  // namespace postern::pki
