#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/certificates/authority/ceremony.h"
#include "services/certificates/authority/issuer.h"
#include "services/common/pki/revocation_list.h"

namespace postern::authority {

// Where an issuing CA stands in its life. The numbers are those of the table and the interface.
enum class State { kIncoming = 1, kActive = 2, kOutgoing = 3, kRetired = 4 };

std::string_view StateName(State state);
// Whether certificates of it are still good.
inline bool IsTrusted(State state) { return state != State::kRetired; }

// An issuing CA without its key.
struct IssuerRecord {
  IssuerName name;
  State state = State::kIncoming;
  crypto::X509Ptr certificate;
};

// The step that leads to `to`, if there is one from where `all` stand: makes `name` stand there,
// and when it becomes active, the active one of its kind outgoing. NotFound, or FailedPrecondition
// that says which steps there are.
absl::Status Move(std::vector<IssuerRecord>& all, const IssuerName& name, State to);

// The folder that holds a CA, on the disk of a server or of whoever uses the command line alone:
//
//   trust_domain               one line
//   root_ca.pem, root_ca.key   the root; its key belongs offline and is needed for new issuing CAs
//   only issuers/<name>.pem, .key   the issuing CAs; <name>.anchor.pem is the same signed by itself
//   authorities                a line `<name> <state>` for each
//   services_ca.pem, clients_ca.pem, services_anchor.pem   the trusted ones: what others trust
//   crl/<name>.crl             the newest CRL, PEM
//
// Keys are encrypted under a passphrase and have mode 0600. Every file is replaced as a whole.
// Errors name the file. Not thread-safe; processes take turns by Lock.
class Folder {
 public:
  // Makes the folder with a root. AlreadyExists when it holds one.
  static absl::StatusOr<Folder> Create(const std::string& path, const std::string& trust_domain,
                                       const CertificateAndKey& root, std::string_view passphrase);
  // NotFound, saying how to make one, when there is none.
  static absl::StatusOr<Folder> Open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& trust_domain() const { return trust_domain_; }

  absl::StatusOr<crypto::X509Ptr> ReadRootCertificate() const;
  // With its key. NotFound when that is not here, as it should be on a server.
  absl::StatusOr<CertificateAndKey> ReadRoot(std::string_view passphrase) const;

  // Every issuing CA, by name, with the state that the file `authorities` says.
  absl::StatusOr<std::vector<IssuerRecord>> ReadIssuers() const;
  // NotFound when its key is not here.
  absl::StatusOr<Issuer> ReadIssuer(const IssuerName& name, std::string_view passphrase) const;
  // Adds one, INCOMING, or ACTIVE when it is the first of its kind. AlreadyExists.
  absl::Status AddIssuer(const IssuerName& name, CertificateAndKey made,
                         std::string_view passphrase);
  // Writes `authorities` and the files of what others trust.
  absl::Status WriteTrust(const std::vector<IssuerRecord>& issuers) const;

  // The CRL on disk, verified; nothing when there is none.
  absl::StatusOr<std::optional<pki::RevocationList>> ReadCrl(const IssuerRecord& issuer) const;
  absl::Status WriteCrl(const IssuerName& name, std::string_view der) const;

 private:
  Folder(std::string path, std::string trust_domain)
      : path_(std::move(path)), trust_domain_(std::move(trust_domain)) {}
  std::string IssuerFile(const IssuerName& name, std::string_view ending) const;

  std::string path_;
  std::string trust_domain_;
};

// The certificates of those that are trusted, PEM.
std::string TrustedPem(const std::vector<IssuerRecord>& issuers, Kind kind);

// Holds the folder for itself among processes, as long as it lives.
class FolderLock {
 public:
  // Waits for others. PermissionDenied or Internal when the folder cannot be written.
  static absl::StatusOr<FolderLock> Take(const std::string& path);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// The passphrase of CA keys, from a file of mode 0600 or a systemd credential. InvalidArgument when
// it has fewer than 16 bytes.
absl::StatusOr<crypto::Secret> ReadPassphrase(const std::string& path);

}  // namespace postern::authority
