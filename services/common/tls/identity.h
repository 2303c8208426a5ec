#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace postern::tls {

// The role that a certificate gives its holder: the first path segment of its SPIFFE id.
enum class Role { kClient, kEdge, kWorker, kPortal, kServer, kOperator };

std::string_view RoleName(Role role);

// `spiffe://<trust-domain>/<role>/<name>`.
struct SpiffeId {
  std::string trust_domain;
  Role role = Role::kClient;
  std::string name;

  // InvalidArgument for anything else; strict: no query, no empty segment, name of 1 to 64
  // characters of [a-z0-9._-].
  static absl::StatusOr<SpiffeId> Parse(std::string_view uri);
  std::string ToString() const;
  std::string Path() const;  // `<role>/<name>`, for people and the audit log.
};

// What tells a certificate from all others (RFC 5280, 4.1.2.2).
struct CertificateRef {
  std::string issuer;      // Its issuer's name in RFC 2253's form, as SubjectName gives it.
  std::string serial_hex;  // Lower-case, no leading zeros.
};

// What a verified peer certificate says.
struct PeerCertificate {
  SpiffeId id;
  std::string common_name;
  std::string sha256_hex;  // Fingerprint of the DER, 64 lower-case digits.
  CertificateRef ref;
  std::int64_t not_after_s = 0;  // Seconds since the Unix epoch.
};

// PermissionDenied unless the certificate has exactly one URI SAN and that is a SPIFFE id (SPIFFE
// X.509-SVID, 2).
absl::StatusOr<PeerCertificate> ReadPeerCertificate(X509* certificate);
// The same of the first certificate in a PEM text.
absl::StatusOr<PeerCertificate> ReadPeerCertificatePem(std::string_view pem);

// What a program asks of its own certificate at start: that it gives the program's role in this
// trust domain. Peers refuse any other at each handshake, which looks like an outage from here.
// FailedPrecondition names the file, what it holds and what is wanted.
absl::Status CheckOwnCertificate(const std::string& pem_path, Role role,
                                 std::string_view trust_domain);

// Which one the first certificate in a PEM text is, whatever it says. PermissionDenied when there
// is none.
absl::StatusOr<CertificateRef> CertificateRefOfPem(std::string_view pem);

// The name of a CA as CertificateRef::issuer has it.
std::string SubjectName(const X509* certificate);

// A certificate's begin and end, seconds since the Unix epoch.
struct Life {
  std::int64_t not_before_s = 0;
  std::int64_t not_after_s = 0;
};
// Of the first certificate in a PEM file.
absl::StatusOr<Life> CertificateLife(const std::string& pem_path);

}  // namespace postern::tls
