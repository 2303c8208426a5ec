#include "services/certificates/authority/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/pki/pem.h"

namespace postern::authority {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPassphraseMin = 16;
constexpr std::array<std::string_view, 4> kStates = {"incoming", "active", "outgoing", "retired"};
constexpr char kCrlLabel[] = "X509 CRL";

absl::Status At(const std::string& path, const absl::Status& status) {
  if (status.ok() || absl::StrContains(status.message(), path)) return status;
  return absl::Status(status.code(), StrCat(path, ": ", ToStd(status.message())));
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) fs::permissions(path, fs::perms::owner_all, error);
  if (error) return absl::InternalError(StrCat("cannot make folder ", path, ": ", error.message()));
  return absl::OkStatus();
}

// For files that others read.
absl::Status WritePublic(const std::string& path, std::string_view content) {
  if (absl::Status status = WriteFileAtomically(path, content); !status.ok()) return status;
  if (::chmod(path.c_str(), 0644) != 0) {
    return absl::InternalError(StrCat("cannot chmod ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::StatusOr<crypto::X509Ptr> ReadCertificate(const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadFile(path);
  if (!pem.ok()) return pem.status();
  absl::StatusOr<crypto::X509Ptr> certificate = pki::ParseCertificate(*pem);
  if (!certificate.ok()) return At(path, certificate.status());
  return certificate;
}

absl::StatusOr<crypto::KeyPtr> ReadKey(const std::string& path, std::string_view passphrase) {
  const absl::StatusOr<std::string> pem = ReadSecretFile(path);
  if (!pem.ok()) return pem.status();
  if (!absl::StrContains(*pem, "ENCRYPTED")) {
    return absl::FailedPreconditionError(
        StrCat(path, " is not encrypted; a CA's key is: openssl pkcs8 -topk8 -scrypt -in KEY"));
  }
  return pki::ParsePrivateKey(path, *pem, passphrase);
}

}  // namespace

std::string_view StateName(State state) { return kStates[static_cast<std::size_t>(state) - 1]; }

absl::Status Move(std::vector<IssuerRecord>& all, const IssuerName& name, State to) {
  const std::string text = name.ToString();
  const auto found = std::find_if(all.begin(), all.end(), [&text](const IssuerRecord& record) {
    return record.name.ToString() == text;
  });
  if (found == all.end()) {
    return absl::NotFoundError(StrCat("there is no issuing CA ", text, " in use"));
  }
  const bool possible = (to == State::kActive && found->state == State::kIncoming) ||
                        (to == State::kRetired && found->state == State::kOutgoing);
  if (!possible) {
    return absl::FailedPreconditionError(
        StrCat("issuing CA ", text, " is ", StateName(found->state),
               ": an incoming one can be activated, an outgoing one retired"));
  }
  if (to == State::kActive) {
    for (IssuerRecord& other : all) {
      if (other.name.kind == name.kind && other.state == State::kActive) {
        other.state = State::kOutgoing;
      }
    }
  }
  found->state = to;
  return absl::OkStatus();
}

absl::StatusOr<Folder> Folder::Create(const std::string& path, const std::string& trust_domain,
                                      const CertificateAndKey& root, std::string_view passphrase) {
  if (fs::exists(path + "/root_ca.pem")) {
    return absl::AlreadyExistsError(StrCat(path, ": holds a certificate authority already"));
  }
  for (const char* folder : {"", "/issuers", "/crl"}) {
    if (absl::Status status = MakeFolder(path + folder); !status.ok()) return status;
  }
  const crypto::Secret key = pki::PrivateKeyPem(root.key.get(), passphrase);
  absl::Status status = WriteFileAtomically(path + "/root_ca.key", key.view());
  if (status.ok()) status = WritePublic(path + "/trust_domain", trust_domain + "\n");
  if (status.ok()) status = WritePublic(path + "/authorities", "");
  // Last: a folder without it was not finished.
  if (status.ok()) {
    status = WritePublic(path + "/root_ca.pem", pki::CertificatePem(root.certificate.get()));
  }
  if (!status.ok()) return status;
  return Folder(path, trust_domain);
}

absl::StatusOr<Folder> Folder::Open(const std::string& path) {
  const absl::StatusOr<std::string> trust_domain = ReadFile(path + "/trust_domain");
  if (!trust_domain.ok() || !fs::exists(path + "/root_ca.pem")) {
    return absl::NotFoundError(
        StrCat(path, ": no certificate authority there; make one with `postern-certs init`"));
  }
  std::string name(absl::StripAsciiWhitespace(*trust_domain));
  if (!IsTrustDomain(name)) {
    return absl::InvalidArgumentError(StrCat(path, "/trust_domain: not a trust domain"));
  }
  return Folder(path, std::move(name));
}

std::string Folder::IssuerFile(const IssuerName& name, std::string_view ending) const {
  return StrCat(path_, "/issuers/", name.ToString(), ending);
}

absl::StatusOr<crypto::X509Ptr> Folder::ReadRootCertificate() const {
  return ReadCertificate(path_ + "/root_ca.pem");
}

absl::StatusOr<CertificateAndKey> Folder::ReadRoot(std::string_view passphrase) const {
  absl::StatusOr<crypto::X509Ptr> certificate = ReadRootCertificate();
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<crypto::KeyPtr> key = ReadKey(path_ + "/root_ca.key", passphrase);
  if (!key.ok()) return key.status();
  return CertificateAndKey{*std::move(certificate), *std::move(key)};
}

absl::StatusOr<std::vector<IssuerRecord>> Folder::ReadIssuers() const {
  const std::string path = path_ + "/authorities";
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  std::map<std::string, IssuerRecord> by_name;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    const auto name = IssuerName::Parse(words[0]);
    const auto state = std::find(kStates.begin(), kStates.end(), words.back());
    if (words.size() != 2 || !name.ok() || state == kStates.end()) {
      return absl::InvalidArgumentError(StrCat(path, ": not `<name> <state>`: ", ToStd(line)));
    }
    absl::StatusOr<crypto::X509Ptr> certificate = ReadCertificate(IssuerFile(*name, ".pem"));
    if (!certificate.ok()) return certificate.status();
    by_name[words[0]] = {*name, static_cast<State>(state - kStates.begin() + 1),
                         *std::move(certificate)};
  }
  std::vector<IssuerRecord> issuers;
  for (auto& [name, record] : by_name) issuers.push_back(std::move(record));
  return issuers;
}

absl::StatusOr<Issuer> Folder::ReadIssuer(const IssuerName& name,
                                          std::string_view passphrase) const {
  absl::StatusOr<crypto::X509Ptr> certificate = ReadCertificate(IssuerFile(name, ".pem"));
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<crypto::KeyPtr> key = ReadKey(IssuerFile(name, ".key"), passphrase);
  if (!key.ok()) return key.status();
  return Issuer::Create(name, trust_domain_, *std::move(certificate), *std::move(key));
}

absl::Status Folder::AddIssuer(const IssuerName& name, CertificateAndKey made,
                               std::string_view passphrase) {
  if (fs::exists(IssuerFile(name, ".pem"))) {
    return absl::AlreadyExistsError(StrCat(IssuerFile(name, ".pem"), " is there already"));
  }
  absl::StatusOr<std::vector<IssuerRecord>> issuers = ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  const bool first =
      std::none_of(issuers->begin(), issuers->end(), [&](const IssuerRecord& record) {
        return record.name.kind == name.kind && record.state == State::kActive;
      });
  const crypto::Secret key = pki::PrivateKeyPem(made.key.get(), passphrase);
  const std::string pem = pki::CertificatePem(made.certificate.get());
  absl::StatusOr<crypto::X509Ptr> certificate = pki::ParseCertificate(pem);
  absl::StatusOr<Issuer> issuer =
      Issuer::Create(name, trust_domain_, std::move(made.certificate), std::move(made.key));
  if (!issuer.ok()) return issuer.status();
  absl::Status status = WriteFileAtomically(IssuerFile(name, ".key"), key.view());
  if (status.ok() && name.kind == Kind::kServices) {
    status =
        WritePublic(IssuerFile(name, ".anchor.pem"), pki::CertificatePem(issuer->Anchor().get()));
  }
  if (status.ok()) status = WritePublic(IssuerFile(name, ".pem"), pem);
  if (!status.ok()) return status;
  issuers->push_back({name, first ? State::kActive : State::kIncoming, *std::move(certificate)});
  std::sort(issuers->begin(), issuers->end(), [](const IssuerRecord& a, const IssuerRecord& b) {
    return a.name.ToString() < b.name.ToString();
  });
  return WriteTrust(*issuers);
}

absl::Status Folder::WriteTrust(const std::vector<IssuerRecord>& issuers) const {
  std::string anchors;
  std::string lines;
  for (const IssuerRecord& issuer : issuers) {
    StrAppend(&lines, issuer.name.ToString(), " ", StateName(issuer.state), "\n");
    if (issuer.name.kind != Kind::kServices || !IsTrusted(issuer.state)) continue;
    const absl::StatusOr<std::string> pem = ReadFile(IssuerFile(issuer.name, ".anchor.pem"));
    if (!pem.ok()) return pem.status();
    StrAppend(&anchors, *pem);
  }
  absl::Status status = WritePublic(path_ + "/authorities", lines);
  if (status.ok()) {
    status = WritePublic(path_ + "/services_ca.pem", TrustedPem(issuers, Kind::kServices));
  }
  if (status.ok()) {
    status = WritePublic(path_ + "/clients_ca.pem", TrustedPem(issuers, Kind::kClients));
  }
  if (status.ok()) status = WritePublic(path_ + "/services_anchor.pem", anchors);
  return status;
}

absl::StatusOr<std::optional<pki::RevocationList>> Folder::ReadCrl(
    const IssuerRecord& issuer) const {
  const std::string path = StrCat(path_, "/crl/", issuer.name.ToString(), ".crl");
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (text.status().code() == absl::StatusCode::kNotFound) return std::nullopt;
  if (!text.ok()) return text.status();
  absl::StatusOr<pki::RevocationList> list =
      pki::RevocationList::Parse(*text, issuer.certificate.get());
  if (!list.ok()) return At(path, list.status());
  return *std::move(list);
}

absl::Status Folder::WriteCrl(const IssuerName& name, std::string_view der) const {
  return WritePublic(StrCat(path_, "/crl/", name.ToString(), ".crl"), pki::PemOf(der, kCrlLabel));
}

std::string TrustedPem(const std::vector<IssuerRecord>& issuers, Kind kind) {
  std::string pem;
  for (const IssuerRecord& issuer : issuers) {
    if (issuer.name.kind == kind && IsTrusted(issuer.state)) {
      StrAppend(&pem, pki::CertificatePem(issuer.certificate.get()));
    }
  }
  return pem;
}

absl::StatusOr<FolderLock> FolderLock::Take(const std::string& path) {
  const std::string file = path + "/lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::PermissionDeniedError(StrCat("cannot open ", file, ": ", std::strerror(errno)));
  }
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    ::close(fd);
    return absl::InternalError(StrCat("cannot lock ", file, ": ", std::strerror(error)));
  }
  return FolderLock(fd);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<crypto::Secret> ReadPassphrase(const std::string& path) {
  absl::StatusOr<std::string> text = ReadSecretFile(path);
  if (!text.ok()) return text.status();
  crypto::Secret passphrase(*text);
  OPENSSL_cleanse(text->data(), text->size());
  if (passphrase.size() < kPassphraseMin) {
    return absl::InvalidArgumentError(
        StrCat(path, ": the passphrase of a CA has at least 16 bytes: openssl rand -hex 32"));
  }
  return passphrase;
}

}  // namespace postern::authority
