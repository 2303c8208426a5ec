#include "tests/unit/services/certificates/authority_fixture.h"

#include <utility>

namespace postern::authority {

const CertificateAndKey& TestRoot() {
  static const CertificateAndKey root = MakeRoot(kTrustDomain, pki::KeyKind::kEcP256, kNow).value();
  return root;
}

Issuer TestIssuer(const std::string& name, std::int64_t now_s) {
  const IssuerName parsed = IssuerName::Parse(name).value();
  CertificateAndKey made =
      MakeIssuer(TestRoot(), parsed, kTrustDomain, pki::KeyKind::kEcP256, now_s).value();
  return Issuer::Create(parsed, kTrustDomain, std::move(made.certificate), std::move(made.key))
      .value();
}

crypto::X509Ptr TestLeaf(const Issuer& issuer, const Subject& subject, std::int64_t now_s) {
  const crypto::KeyPtr key = pki::GenerateKey(pki::KeyKind::kEcP256);
  return issuer.Sign(subject, key.get(), pki::Serial::Random(), now_s).value();
}

}  // namespace postern::authority
