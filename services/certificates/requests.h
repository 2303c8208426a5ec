#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/certificate_service.pb.h"
#include "services/certificates/authorities.h"
#include "services/certificates/authority/profile.h"
#include "services/certificates/certificate_repository.h"
#include "services/certificates/issuance.h"
#include "services/certificates/revocation_repository.h"
#include "services/common/crypto/openssl_ptr.h"

// What requests say, checked, and what answers are made of.
namespace postern::certificates {

// InvalidArgument names every field that is wrong.
absl::StatusOr<authority::Subject> ReadSubject(const v1::CertificateSubject& subject);

// The public key of a request to be certified for `name`, or of the new key that it asks for.
struct KeySource {
  crypto::KeyPtr key;
  bool is_new = false;
};
absl::StatusOr<KeySource> ReadKeySource(const v1::IssueCertificateRequest& request,
                                        const std::string& name);
// Puts the new key into the answer, in the form asked for.
absl::Status HandOutKey(const v1::NewKey& wanted, EVP_PKEY* key, const Issued& issued,
                        v1::IssueCertificateResponse& response);

absl::StatusOr<RevokeOrder> ReadRevokeOrder(const v1::RevokeCertificateRequest& request);

// The certificate to renew: the one that the request holds or names, or else the peer's.
absl::StatusOr<crypto::X509Ptr> ReadCurrent(db::Connection& connection,
                                            const v1::RenewCertificateRequest& request,
                                            const std::string& peer_pem);

struct Page {
  ListFilter filter;
  std::int64_t size = 0;
};
absl::StatusOr<Page> ReadPage(const v1::ListCertificatesRequest& request, std::int64_t now_us);
std::string PageTokenAfter(const StoredCertificate& last);

v1::Crl ToProto(const StoredCrl& crl);
// With its numbers from the database.
absl::StatusOr<v1::Authority> DescribeAuthority(db::Connection& connection,
                                                const Authorities& authorities,
                                                const Authorities::Known& known);

}  // namespace postern::certificates
