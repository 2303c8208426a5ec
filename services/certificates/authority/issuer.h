#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/certificates/authority/profile.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/key.h"
#include "services/common/pki/serial.h"

namespace postern::authority {

// `services-2`: the kind and the generation of an issuing CA.
struct IssuerName {
  Kind kind = Kind::kServices;
  int generation = 1;

  // InvalidArgument for anything else.
  static absl::StatusOr<IssuerName> Parse(std::string_view text);
  std::string ToString() const;
};

// A revoked certificate as a CRL lists it.
struct RevokedEntry {
  pki::Serial serial;
  std::int64_t revoked_at_s = 0;
  int reason = 0;  // RFC 5280, 5.3.1.
};

// What a CRL says of itself. Seconds since the Unix epoch.
struct CrlHeader {
  std::int64_t number = 0;
  std::int64_t this_update_s = 0;
  std::int64_t next_update_s = 0;
};

// An issuing CA with its key: pure computation, no files and no database. Thread-safe.
class Issuer {
 public:
  // InvalidArgument when the certificate is no CA's or the key is not its key.
  static absl::StatusOr<Issuer> Create(IssuerName name, std::string trust_domain,
                                       crypto::X509Ptr certificate, crypto::KeyPtr key);

  // A certificate for `public_key`, valid from kBackdateSeconds before `now_s` and never longer
  // than this CA. FailedPrecondition when this CA has ended.
  absl::StatusOr<crypto::X509Ptr> Sign(const Subject& subject, EVP_PKEY* public_key,
                                       const pki::Serial& serial, std::int64_t now_s) const;
  // A CRL in DER.
  std::string SignCrl(const CrlHeader& header, const std::vector<RevokedEntry>& revoked) const;

  const IssuerName& name() const { return name_; }
  const std::string& trust_domain() const { return trust_domain_; }
  X509* certificate() const { return certificate_.get(); }
  // The certificate with this key that is signed by itself: for programs that cannot be told to
  // trust an issuing CA without its root (Redis, MariaDB and its client library).
  crypto::X509Ptr Anchor() const;

 private:
  Issuer(IssuerName name, std::string trust_domain, crypto::X509Ptr certificate, crypto::KeyPtr key,
         pki::CertificateInfo info);

  IssuerName name_;
  std::string trust_domain_;
  crypto::X509Ptr certificate_;
  crypto::KeyPtr key_;
  pki::CertificateInfo info_;
};

}  // namespace postern::authority
