#include "services/certificates/authority/x509_builder.h"

#include <openssl/x509v3.h>

#include <ctime>

#include "services/common/crypto/openssl_check.h"
#include "services/common/pki/pem.h"

namespace postern::authority {
namespace {

using crypto::RequireOpenSsl;

}  // namespace

void SetTime(ASN1_TIME* time, std::int64_t unix_seconds) {
  // UTCTime until 2049, GeneralizedTime from 2050, as RFC 5280 wants it.
  RequireOpenSsl(ASN1_TIME_set(time, static_cast<std::time_t>(unix_seconds)) != nullptr,
                 "ASN1_TIME_set");
}

crypto::X509Ptr NewCertificate(const Name& subject, EVP_PKEY* public_key, const pki::Serial& serial,
                               const Life& life) {
  crypto::X509Ptr certificate(X509_new());
  RequireOpenSsl(certificate != nullptr, "X509_new");
  const std::string_view bytes = serial.bytes();
  const crypto::BigNumberPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                              static_cast<int>(bytes.size()), nullptr));
  RequireOpenSsl(
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
          BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())) != nullptr &&
          X509_set_pubkey(certificate.get(), public_key) == 1,
      "X509_set");
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  pki::AppendToName(name, "O", subject.organisation);
  pki::AppendToName(name, "CN", subject.common_name);
  SetTime(X509_getm_notBefore(certificate.get()), life.begin_s);
  SetTime(X509_getm_notAfter(certificate.get()), life.end_s);
  return certificate;
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  using ExtensionPtr = std::unique_ptr<X509_EXTENSION, crypto::OpenSslFree<&X509_EXTENSION_free>>;
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  RequireOpenSsl(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
                 "X509_add_ext");
}

void Sign(X509* certificate, EVP_PKEY* key) {
  RequireOpenSsl(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
}

}  // namespace postern::authority
