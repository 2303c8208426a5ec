#pragma once

#include <openssl/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "services/certificates/authority/issuer.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/key.h"

// What the offline root does, a few times in its life.
namespace postern::authority {

inline constexpr std::chrono::seconds kRootLife = 3650 * kDay;
inline constexpr std::chrono::seconds kIssuerLife = 1825 * kDay;

struct CertificateAndKey {
  crypto::X509Ptr certificate;
  crypto::KeyPtr key;
};

// A root CA: `O=<trust domain>, CN=Postern Root CA`. InvalidArgument for a bad trust domain.
absl::StatusOr<CertificateAndKey> MakeRoot(const std::string& trust_domain, pki::KeyKind kind,
                                           std::int64_t now_s);

// An issuing CA under the root, with a new key, that may issue nothing but leaves. Its life ends
// with the root's at the latest. InvalidArgument when `root` is not a root with its key.
absl::StatusOr<CertificateAndKey> MakeIssuer(const CertificateAndKey& root, const IssuerName& name,
                                             const std::string& trust_domain, pki::KeyKind kind,
                                             std::int64_t now_s);

}  // namespace postern::authority
