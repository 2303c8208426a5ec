#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/certificates/authority/folder.h"
#include "services/certificates/authority/issuer.h"
#include "services/certificates/certificate_repository.h"
#include "services/common/db/connection.h"

// The tables `certificate_authorities`, `revoked_certificates`, `crls` and `trust_revision`, as the
// authority writes them. Each function blocks and is one step of the caller's transaction; errors
// are those of db::Connection.
namespace postern::certificates {

// Raises the revision of the trust and locks it until the end of the transaction: changes become
// visible in the order of their revisions.
absl::StatusOr<std::int64_t> RaiseTrustRevision(db::Connection& connection);
absl::StatusOr<std::int64_t> ReadTrustRevision(db::Connection& connection);

absl::StatusOr<std::vector<authority::IssuerRecord>> SelectAuthorities(db::Connection& connection);
absl::Status InsertAuthority(db::Connection& connection, const authority::IssuerRecord& record,
                             std::int64_t revision, std::int64_t now_us);
absl::Status UpdateAuthority(db::Connection& connection, const authority::IssuerRecord& record,
                             std::int64_t revision, std::int64_t now_us);
// Certificates of it that are neither revoked nor ended.
absl::StatusOr<std::int64_t> CountValid(db::Connection& connection, const std::string& issuer,
                                        std::int64_t now_us);

// A revocation to record.
struct NewRevocation {
  std::string issuer;
  pki::Serial serial;
  int reason = 0;
  std::int64_t revoked_at_us = 0;
  std::int64_t not_after_us = 0;
};
// Records it, and with a registered certificate also there and with its client. Whether it was new.
absl::StatusOr<bool> RecordRevocation(db::Connection& connection, const NewRevocation& revocation,
                                      const std::optional<StoredCertificate>& certificate,
                                      std::int64_t revision);
absl::StatusOr<bool> IsRevoked(db::Connection& connection, const std::string& issuer,
                               const pki::Serial& serial);
// Those whose certificates ended less than a day ago at most: RFC 5280, 3.3 wants each in at least
// one CRL after its end.
absl::StatusOr<std::vector<authority::RevokedEntry>> SelectRevokedEntries(
    db::Connection& connection, const std::string& issuer, std::int64_t now_us);
// The newest revision at which a certificate of the issuer was revoked after `revision`; 0 for
// none.
absl::StatusOr<std::int64_t> NewestRevocation(db::Connection& connection, const std::string& issuer,
                                              std::int64_t revision);

// A revocation and the revision of the trust at which it was recorded.
struct RevokedAfter {
  pki::Serial serial;
  std::int64_t revision = 0;
};
// Those of the issuer after `revision`, in their order.
absl::StatusOr<std::vector<RevokedAfter>> SelectRevokedAfter(db::Connection& connection,
                                                             const std::string& issuer,
                                                             std::int64_t revision);

// A row of `crls`.
struct StoredCrl {
  std::string issuer;
  authority::CrlHeader header;
  std::int64_t entries = 0;
  std::int64_t holds_revision = 0;
  std::string der;
};
// Without the DER unless `with_der`.
absl::StatusOr<std::optional<StoredCrl>> FindCrl(db::Connection& connection,
                                                 const std::string& issuer, bool with_der);
absl::Status ReplaceCrl(db::Connection& connection, const StoredCrl& crl, std::int64_t revision);

}  // namespace postern::certificates
