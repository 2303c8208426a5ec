#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/certificate_service.pb.h"
#include "services/certificates/authorities.h"
#include "services/certificates/certificate_repository.h"
#include "services/common/tls/identity.h"

// What the authority does, each in one transaction that leaves nothing behind when it fails, with
// its row of the audit log. All block.
namespace postern::certificates {

struct Issued {
  StoredCertificate stored;
  std::string chain_pem;
};

// A certificate of the subject for the key.
absl::StatusOr<Issued> Issue(db::Connection& connection, const Authorities& authorities,
                             const authority::Subject& subject, EVP_PKEY* public_key,
                             const std::string& actor);

// Keeps the token's hash.
absl::Status AddToken(db::Connection& connection, const EnrolmentToken& token);

// With a token, once. `common_name` is that of the request; empty when it names none.
absl::StatusOr<Issued> Enrol(db::Connection& connection, const Authorities& authorities,
                             const std::string& token_sha256, EVP_PKEY* public_key,
                             const std::string& common_name, const std::string& actor);

// The successor of `current` for whoever calls. PermissionDenied: see RenewCertificate.
absl::StatusOr<Issued> Renew(db::Connection& connection, const Authorities& authorities,
                             X509* current, const tls::SpiffeId& caller, EVP_PKEY* public_key,
                             const std::string& common_name);

// Which certificate, and why.
struct RevokeOrder {
  pki::Serial serial;
  std::string issuer;  // Needed only for one that is not registered.
  int reason = 0;
  bool lineage = false;
};
struct Revoked {
  std::vector<v1::Certificate> certificates;  // Those that were not revoked before.
  std::int64_t revision = 0;
};
absl::StatusOr<Revoked> Revoke(db::Connection& connection, const Authorities& authorities,
                               const RevokeOrder& order, const std::string& actor);

// InvalidArgument unless a request that names somebody names `name`.
absl::Status CheckCommonName(const std::string& common_name, const std::string& name);

}  // namespace postern::certificates
