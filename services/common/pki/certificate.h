#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/serial.h"

namespace postern::pki {

// Seconds by which certificates and CRLs are dated back, for clocks that go a little wrong.
inline constexpr std::int64_t kBackdateSeconds = 60;

// What a certificate says, whoever issued it: nothing here is verified.
struct CertificateInfo {
  Serial serial;
  std::string subject;  // RFC 2253, such as `CN=acme,O=example.org`.
  std::string issuer;   // The same of its issuer.
  std::string common_name;
  std::vector<std::string> uris;   // URI names; one in a certificate of Postern.
  std::vector<std::string> hosts;  // DNS names and IP addresses as text.
  std::int64_t not_before_s = 0;   // Seconds since the Unix epoch.
  std::int64_t not_after_s = 0;
  std::string sha256;             // Of the DER, 32 bytes.
  std::string public_key_sha256;  // 32 bytes.
  std::string key_type;           // As pki::KeyType.
  bool server_auth = false;
  bool client_auth = false;
  bool is_ca = false;
};

// PEM (the first block) or DER. InvalidArgument when it is no certificate.
absl::StatusOr<crypto::X509Ptr> ParseCertificate(std::string_view text);
// Every certificate of a PEM text, at least one. InvalidArgument otherwise.
absl::StatusOr<std::vector<crypto::X509Ptr>> ParseCertificates(std::string_view pem);

// InvalidArgument for a certificate whose numbers, times or names cannot be read.
absl::StatusOr<CertificateInfo> Describe(X509* certificate);

std::string CertificateDer(X509* certificate);
std::string CertificatePem(X509* certificate);

// Whether `issuer` has signed `certificate`.
bool IsIssuedBy(X509* certificate, X509* issuer);

// Seconds since the Unix epoch. InvalidArgument when it is no time.
absl::StatusOr<std::int64_t> UnixSeconds(const ASN1_TIME* time);

}  // namespace postern::pki
