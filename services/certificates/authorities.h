#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/certificates/authority/folder.h"
#include "services/certificates/authority/issuer.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/connection.h"

namespace postern::certificates {

// The issuing CAs with the keys that this server holds. Where each stands in its life is what the
// database says; the folder says it only to a database that knows none yet, and follows it from
// then on. Thread-safe.
class Authorities {
 public:
  // Reads the folder and opens the keys. Errors name the file.
  static absl::StatusOr<std::unique_ptr<Authorities>> Open(const std::string& folder,
                                                           const std::string& passphrase_file);

  // Reads the states; writes the folder's files when they changed. FailedPrecondition when folder
  // and database hold different CAs of one name.
  absl::Status Sync(db::Connection& connection);

  // The one that new certificates come from. FailedPrecondition when there is none, or its key is
  // not here.
  absl::StatusOr<std::shared_ptr<const authority::Issuer>> Active(authority::Kind kind) const;
  // With its key. FailedPrecondition when that is not here.
  absl::StatusOr<std::shared_ptr<const authority::Issuer>> Find(const std::string& name) const;
  bool HasKey(const std::string& name) const;
  // The trusted CA that signed the certificate. PermissionDenied when none did.
  absl::StatusOr<std::string> IssuerOf(X509* certificate) const;
  // When it ends, seconds since the Unix epoch. NotFound.
  absl::StatusOr<std::int64_t> EndOf(const std::string& name) const;

  struct Known {
    std::string name;
    authority::State state;
    std::string pem;
  };
  std::vector<Known> known() const;
  // PEM of the leaf and its issuing CA.
  absl::StatusOr<std::string> Chain(X509* leaf, const std::string& issuer) const;

  // Makes a CA that lies in the folder known. NotFound when it does not, AlreadyExists.
  absl::Status Introduce(db::Connection& connection, const authority::IssuerName& name);
  // One step of a known one, within the caller's transaction.
  absl::Status Move(db::Connection& connection, const authority::IssuerName& name,
                    authority::State to);

  const authority::Folder& folder() const { return folder_; }
  // The CRL on disk of each trusted CA that has one.
  absl::StatusOr<std::optional<pki::RevocationList>> DiskCrl(const std::string& name) const;

 private:
  Authorities(authority::Folder folder, crypto::Secret passphrase)
      : folder_(std::move(folder)), passphrase_(std::move(passphrase)) {}
  absl::Status FirstStates(db::Connection& connection);
  absl::Status WriteFolder(const std::vector<authority::IssuerRecord>& records) const;
  absl::Status LoadKey(const authority::IssuerName& name);

  const authority::Folder folder_;
  const crypto::Secret passphrase_;

  mutable std::mutex mutex_;
  std::vector<authority::IssuerRecord> records_;  // As the database says.
  std::map<std::string, std::shared_ptr<const authority::Issuer>> keys_;
};

}  // namespace postern::certificates
