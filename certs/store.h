#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/certificates/authority/folder.h"
#include "services/common/crypto/secret.h"
#include "services/common/pki/certificate.h"

namespace postern::certs {

// A certificate that was issued from this folder.
struct Record {
  pki::CertificateInfo info;
  std::string issuer;   // `services-1`.
  std::string profile;  // `edge`.
  pki::Serial renewed_from;
  std::string pem;  // The leaf.
};

// Where a certificate stands.
enum class Standing { kGood, kExpired, kNotYetValid, kRevoked, kForeign };

struct Verdict {
  Standing standing = Standing::kForeign;
  std::string reason;  // For people.
};

// The CA of a folder without a server: what was issued lies in `issued/<serial>.pem`, what was
// revoked in the CRLs. The main server reads and writes the same CRLs and keys. One process at a
// time: hold a FolderLock.
class Store {
 public:
  static absl::StatusOr<Store> Open(const std::string& folder, const std::string& passphrase_file);

  const authority::Folder& folder() const { return folder_; }
  absl::StatusOr<std::vector<authority::IssuerRecord>> Issuers() const {
    return folder_.ReadIssuers();
  }

  // A certificate from the active CA of its kind: the chain as PEM.
  absl::StatusOr<std::string> Issue(const authority::Subject& subject, EVP_PKEY* public_key,
                                    const pki::Serial& renewed_from);
  // The successor of a good certificate. FailedPrecondition when it is not good.
  absl::StatusOr<std::string> Renew(X509* current, EVP_PKEY* public_key);
  // Everything issued here, by end of life.
  absl::StatusOr<std::vector<Record>> List() const;
  // How many were revoked now. `issuer`: for a serial number that was not issued here.
  absl::StatusOr<int> Revoke(const pki::Serial& serial, const std::string& issuer, int reason,
                             bool lineage);
  // A new CRL of every trusted CA whose key is here; how many.
  absl::StatusOr<int> PublishCrls() const;
  absl::StatusOr<Verdict> Verify(X509* certificate) const;

 private:
  Store(authority::Folder folder, crypto::Secret passphrase)
      : folder_(std::move(folder)), passphrase_(std::move(passphrase)) {}
  absl::Status Publish(const authority::IssuerRecord& issuer,
                       const std::vector<authority::RevokedEntry>& added) const;
  // Opening a key takes as long as its passphrase is worth: once.
  absl::StatusOr<const authority::Issuer*> OpenIssuer(const authority::IssuerName& name) const;

  authority::Folder folder_;
  crypto::Secret passphrase_;
  mutable std::map<std::string, std::unique_ptr<const authority::Issuer>> issuers_;
};

}  // namespace postern::certs
