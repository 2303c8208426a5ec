#pragma once

#include <cstdint>
#include <string>

#include "services/certificates/authority/ceremony.h"
#include "services/certificates/authority/issuer.h"

namespace postern::authority {

inline constexpr char kTrustDomain[] = "example.org";
inline constexpr std::int64_t kNow = 1'795'000'000;  // 2026-11-18.

// A root of the test's own; always the same within a process.
const CertificateAndKey& TestRoot();
// A new issuing CA under it.
Issuer TestIssuer(const std::string& name, std::int64_t now_s = kNow);
// A certificate of a new key.
crypto::X509Ptr TestLeaf(const Issuer& issuer, const Subject& subject, std::int64_t now_s = kNow);

}  // namespace postern::authority
