#include "services/certificates/authority/ceremony.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "services/certificates/authority/x509_builder.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_check.h"

namespace postern::authority {
namespace {

constexpr char kCaUsage[] = "critical,keyCertSign,cRLSign";

}  // namespace

absl::StatusOr<CertificateAndKey> MakeRoot(const std::string& trust_domain, pki::KeyKind kind,
                                           std::int64_t now_s) {
  if (!IsTrustDomain(trust_domain)) {
    return absl::InvalidArgumentError(
        StrCat(trust_domain, " is not a trust domain: a host name in lower case"));
  }
  CertificateAndKey root;
  root.key = pki::GenerateKey(kind);
  root.certificate =
      NewCertificate({trust_domain, "Postern Root CA"}, root.key.get(), pki::Serial::Random(),
                     {now_s - pki::kBackdateSeconds, now_s + kRootLife.count()});
  X509* const self = root.certificate.get();
  X509_set_issuer_name(self, X509_get_subject_name(self));
  AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(self, self, NID_key_usage, kCaUsage);
  AddExtension(self, self, NID_subject_key_identifier, "hash");
  Sign(self, root.key.get());
  return root;
}

absl::StatusOr<CertificateAndKey> MakeIssuer(const CertificateAndKey& root, const IssuerName& name,
                                             const std::string& trust_domain, pki::KeyKind kind,
                                             std::int64_t now_s) {
  const absl::StatusOr<pki::CertificateInfo> above = pki::Describe(root.certificate.get());
  if (!above.ok()) return above.status();
  if (!pki::SamePublicKey(X509_get0_pubkey(root.certificate.get()), root.key.get())) {
    return absl::InvalidArgumentError("the root's key does not belong to its certificate");
  }
  if (above->not_after_s <= now_s) return absl::FailedPreconditionError("the root CA has ended");
  CertificateAndKey made;
  made.key = pki::GenerateKey(kind);
  const std::string common_name = StrCat(
      "Postern ", name.kind == Kind::kServices ? "ServicesCA" : "ClientsCA", " ", name.generation);
  made.certificate = NewCertificate(
      {trust_domain, common_name}, made.key.get(), pki::Serial::Random(),
      {now_s - pki::kBackdateSeconds, std::min(now_s + kIssuerLife.count(), above->not_after_s)});
  X509* const issuer = made.certificate.get();
  X509_set_issuer_name(issuer, X509_get_subject_name(root.certificate.get()));
  AddExtension(issuer, root.certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(issuer, root.certificate.get(), NID_key_usage, kCaUsage);
  AddExtension(issuer, root.certificate.get(), NID_subject_key_identifier, "hash");
  AddExtension(issuer, root.certificate.get(), NID_authority_key_identifier, "keyid:always");
  Sign(issuer, root.key.get());
  return made;
}

}  // namespace postern::authority
