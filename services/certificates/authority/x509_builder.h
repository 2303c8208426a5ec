#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <string>

#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/serial.h"

// How this library puts certificates and CRLs together. What cannot fail ends the process.
namespace postern::authority {

// The whole life of a certificate, seconds since the Unix epoch.
struct Life {
  std::int64_t begin_s = 0;
  std::int64_t end_s = 0;
};

// `O=<organisation>, CN=<common name>`.
struct Name {
  std::string organisation;
  std::string common_name;
};

// Everything but extensions, issuer and signature.
crypto::X509Ptr NewCertificate(const Name& subject, EVP_PKEY* public_key, const pki::Serial& serial,
                               const Life& life);
// `value` in OpenSSL's notation; `issuer` for key identifiers.
void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value);
// With SHA-256.
void Sign(X509* certificate, EVP_PKEY* key);

void SetTime(ASN1_TIME* time, std::int64_t unix_seconds);

}  // namespace postern::authority
