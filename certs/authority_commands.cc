#include <filesystem>
#include <iostream>
#include <utility>

#include "certs/commands.h"
#include "certs/store.h"
#include "services/certificates/authority/ceremony.h"
#include "services/certificates/authority/folder.h"
#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::certs {
namespace {

using authority::Folder;
using authority::IssuerName;
using authority::State;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::size_t kPassphraseBytes = 32;

std::int64_t NowSeconds() { return NowMicros() / kMicrosPerSecond; }

absl::StatusOr<crypto::Secret> RootPassphrase(const Options& options) {
  return authority::ReadPassphrase(options.root_passphrase_file.empty()
                                       ? options.PassphraseFile()
                                       : options.root_passphrase_file);
}

// For development: a passphrase beside the keys that it protects.
absl::Status MakePassphrase(const Options& options) {
  const std::string path = options.PassphraseFile();
  if (!options.passphrase_file.empty() || std::filesystem::exists(path)) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  const crypto::Secret random = crypto::Secret::Random(kPassphraseBytes);
  return WriteFileAtomically(path, HexEncode(random.view()) + "\n");
}

absl::Status AddIssuer(Folder& folder, const authority::CertificateAndKey& root,
                       const IssuerName& name, pki::KeyKind kind, std::string_view passphrase) {
  auto made = authority::MakeIssuer(root, name, folder.trust_domain(), kind, NowSeconds());
  if (!made.ok()) return made.status();
  return folder.AddIssuer(name, *std::move(made), passphrase);
}

absl::StatusOr<int> MoveAuthority(const Options& options, State to) {
  const auto name = IssuerName::Parse(options.authority);
  if (!name.ok()) return name.status();
  auto folder = Folder::Open(options.folder);
  if (!folder.ok()) return folder.status();
  const auto lock = authority::FolderLock::Take(options.folder);
  if (!lock.ok()) return lock.status();
  auto issuers = folder->ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  if (absl::Status s = Move(*issuers, *name, to); !s.ok()) return s;
  if (absl::Status s = folder->WriteTrust(*issuers); !s.ok()) return s;
  std::cout << options.authority << " is " << StateName(to) << '\n';
  return kOk;
}

}  // namespace

absl::StatusOr<int> Init(const Options& options) {
  const auto kind = pki::ParseKeyKind(options.key_kind);
  if (!kind.ok()) return kind.status();
  if (absl::Status s = MakePassphrase(options); !s.ok()) return s;
  const auto passphrase = authority::ReadPassphrase(options.PassphraseFile());
  if (!passphrase.ok()) return passphrase.status();
  const auto root_passphrase = RootPassphrase(options);
  if (!root_passphrase.ok()) return root_passphrase.status();
  const auto root = authority::MakeRoot(options.trust_domain, *kind, NowSeconds());
  if (!root.ok()) return root.status();
  auto folder =
      Folder::Create(options.folder, options.trust_domain, *root, root_passphrase->view());
  if (!folder.ok()) return folder.status();
  for (const authority::Kind which : {authority::Kind::kServices, authority::Kind::kClients}) {
    const absl::Status s = AddIssuer(*folder, *root, {which, 1}, *kind, passphrase->view());
    if (!s.ok()) return s;
  }
  auto store = Store::Open(options.folder, options.PassphraseFile());
  if (!store.ok()) return store.status();
  if (auto published = store->PublishCrls(); !published.ok()) return published.status();
  std::cout << "made root CA, ServicesCA and ClientsCA of " << options.trust_domain << " in "
            << options.folder << '\n';
  std::cerr << "Keep " << options.folder
            << "/root_ca.key offline: it is needed for new issuing CAs only.\n";
  return kOk;
}

absl::StatusOr<int> NewAuthority(const Options& options) {
  const auto which = authority::ParseKind(options.authority);
  const auto kind = pki::ParseKeyKind(options.key_kind);
  if (!which.ok() || !kind.ok()) return which.ok() ? kind.status() : which.status();
  auto folder = Folder::Open(options.folder);
  if (!folder.ok()) return folder.status();
  const auto lock = authority::FolderLock::Take(options.folder);
  if (!lock.ok()) return lock.status();
  const auto passphrase = authority::ReadPassphrase(options.PassphraseFile());
  if (!passphrase.ok()) return passphrase.status();
  const auto root_passphrase = RootPassphrase(options);
  if (!root_passphrase.ok()) return root_passphrase.status();
  const auto root = folder->ReadRoot(root_passphrase->view());
  if (!root.ok()) return root.status();
  const auto issuers = folder->ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  IssuerName name{*which, 1};
  for (const authority::IssuerRecord& issuer : *issuers) {
    if (issuer.name.kind == *which) {
      name.generation = std::max(name.generation, issuer.name.generation + 1);
    }
  }
  const absl::Status added = AddIssuer(*folder, *root, name, *kind, passphrase->view());
  if (!added.ok()) return added;
  std::cout << name.ToString() << '\n';
  std::cerr << "It is trusted and issues nothing yet: posternctl ca rotate " << name.ToString()
            << " --step introduce\n";
  return kOk;
}

absl::StatusOr<int> ActivateAuthority(const Options& options) {
  return MoveAuthority(options, State::kActive);
}

absl::StatusOr<int> RetireAuthority(const Options& options) {
  return MoveAuthority(options, State::kRetired);
}

absl::StatusOr<int> ListAuthorities(const Options& options) {
  const auto folder = Folder::Open(options.folder);
  if (!folder.ok()) return folder.status();
  const auto issuers = folder->ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  for (const authority::IssuerRecord& issuer : *issuers) {
    const auto info = pki::Describe(issuer.certificate.get());
    if (!info.ok()) return info.status();
    std::cout << issuer.name.ToString() << "  " << StateName(issuer.state) << "  "
              << FormatRfc3339(info->not_after_s * kMicrosPerSecond) << "  "
              << HexEncode(info->sha256) << '\n';
  }
  return kOk;
}

}  // namespace postern::certs
