#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "certs/commands.h"
#include "certs/handshake.h"
#include "certs/store.h"
#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "services/common/pki/pkcs12.h"

namespace postern::certs {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kDaySeconds = 24 * 3600;

const std::map<std::string, int> kReasons = {
    {"unspecified", 0}, {"key-compromise", 1},         {"affiliation-changed", 3},
    {"superseded", 4},  {"cessation-of-operation", 5}, {"privilege-withdrawn", 9},
};

// A store that this process has for itself.
struct Held {
  authority::FolderLock lock;
  Store store;
};
absl::StatusOr<Held> Hold(const Options& options) {
  auto store = Store::Open(options.folder, options.PassphraseFile());
  if (!store.ok()) return store.status();
  auto lock = authority::FolderLock::Take(options.folder);
  if (!lock.ok()) return lock.status();
  return Held{*std::move(lock), *std::move(store)};
}

absl::StatusOr<crypto::X509Ptr> ReadCertificate(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  auto certificate = pki::ParseCertificate(*text);
  if (!certificate.ok()) {
    return absl::InvalidArgumentError(StrCat(path, ": ", ToStd(certificate.status().message())));
  }
  return certificate;
}

// The key to certify, and its file's content when it is new.
struct Key {
  crypto::KeyPtr key;
  bool is_new = false;
};
absl::StatusOr<Key> TakeKey(const Options& options, const std::string& name) {
  if (options.csr_file.empty()) {
    const auto kind = pki::ParseKeyKind(options.key_kind);
    if (!kind.ok()) return kind.status();
    return Key{pki::GenerateKey(*kind), true};
  }
  const auto text = ReadFile(options.csr_file);
  if (!text.ok()) return text.status();
  auto csr = pki::ParseCsr(*text);
  if (!csr.ok()) return csr.status();
  if (!csr->common_name.empty() && csr->common_name != name) {
    return absl::InvalidArgumentError(
        StrCat(options.csr_file, " names ", csr->common_name, ", the certificate is for ", name));
  }
  return Key{std::move(csr->public_key), false};
}

absl::Status WritePkcs12(const Options& options, EVP_PKEY* key, const std::string& chain,
                         const std::string& name) {
  if (options.password_file.empty()) {
    return absl::InvalidArgumentError("--pkcs12 needs --password-file");
  }
  const auto password = ReadSecretFile(options.password_file);
  if (!password.ok()) return password.status();
  auto certificates = pki::ParseCertificates(chain);
  if (!certificates.ok()) return certificates.status();
  const auto file = pki::MakePkcs12(key, certificates->front().get(),
                                    std::span(*certificates).subspan(1), name, *password);
  if (!file.ok()) return file.status();
  return WriteFileAtomically(options.pkcs12_file, *file);
}

// The key first: a certificate without its key would be in use at once.
absl::Status WriteLeaf(const Options& options, const std::string& stem, const Key& key,
                       const std::string& chain, const std::string& name) {
  std::error_code error;
  fs::create_directories(fs::path(stem).parent_path(), error);
  if (!options.pkcs12_file.empty() && key.is_new) {
    return WritePkcs12(options, key.key.get(), chain, name);
  }
  if (key.is_new) {
    const absl::Status s =
        WriteFileAtomically(stem + ".key", pki::PrivateKeyPem(key.key.get(), "").view());
    if (!s.ok()) return s;
  }
  if (absl::Status s = WriteFileAtomically(stem + ".pem", chain); !s.ok()) return s;
  fs::permissions(stem + ".pem", fs::perms(0644), error);
  return absl::OkStatus();
}

void Tell(const std::string& where, const std::string& chain) {
  const auto leaf = pki::ParseCertificate(chain);
  const auto info = pki::Describe(leaf->get());
  std::cout << where << "  sha256 " << HexEncode(info->sha256) << "  serial " << info->serial.hex()
            << '\n';
}

std::chrono::seconds LifeOf(const Options& options) {
  return std::chrono::seconds(options.life_seconds != 0 ? options.life_seconds
                                                        : options.days * kDaySeconds);
}

tls::Files FilesOf(const Options& options) {
  return {options.certificate_file, options.key_file, options.trust_file};
}

std::chrono::milliseconds Timeout(const Options& options) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_seconds * 1000));
}

}  // namespace

absl::StatusOr<int> Issue(const Options& options) {
  auto held = Hold(options);
  if (!held.ok()) return held.status();
  for (const std::string& name : options.names) {
    const auto subject =
        authority::MakeSubject(options.profile, name, options.hosts, LifeOf(options));
    if (!subject.ok()) return subject.status();
    const auto key = TakeKey(options, name);
    if (!key.ok()) return key.status();
    const auto chain = held->store.Issue(*subject, key->key.get(), {});
    if (!chain.ok()) return chain.status();
    const std::string stem =
        options.out.empty() ? StrCat(options.folder, "/", options.profile, "/", name) : options.out;
    if (absl::Status s = WriteLeaf(options, stem, *key, *chain, name); !s.ok()) return s;
    Tell(options.pkcs12_file.empty() ? stem + ".pem" : options.pkcs12_file, *chain);
  }
  return kOk;
}

absl::StatusOr<int> Renew(const Options& options) {
  auto held = Hold(options);
  if (!held.ok()) return held.status();
  const auto current = ReadCertificate(options.file);
  if (!current.ok()) return current.status();
  const auto info = pki::Describe(current->get());
  if (!info.ok()) return info.status();
  const auto key = TakeKey(options, info->common_name);
  if (!key.ok()) return key.status();
  const auto chain = held->store.Renew(current->get(), key->key.get());
  if (!chain.ok()) return chain.status();
  const std::string stem =
      options.out.empty() ? fs::path(options.file).replace_extension().string() : options.out;
  if (absl::Status s = WriteLeaf(options, stem, *key, *chain, info->common_name); !s.ok()) {
    return s;
  }
  Tell(stem + ".pem", *chain);
  return kOk;
}

absl::StatusOr<int> Revoke(const Options& options) {
  const auto reason = kReasons.find(options.reason);
  if (reason == kReasons.end()) {
    return absl::InvalidArgumentError(
        "--reason: unspecified, key-compromise, affiliation-changed, superseded, "
        "cessation-of-operation or privilege-withdrawn");
  }
  auto held = Hold(options);
  if (!held.ok()) return held.status();
  absl::StatusOr<pki::Serial> serial = pki::Serial::FromHex(options.serial);
  std::string issuer = options.issuer;
  if (fs::exists(options.serial)) {
    const auto certificate = ReadCertificate(options.serial);
    if (!certificate.ok()) return certificate.status();
    const auto info = pki::Describe(certificate->get());
    if (!info.ok()) return info.status();
    serial = info->serial;
    const auto issuers = held->store.Issuers();
    if (!issuers.ok()) return issuers.status();
    for (const authority::IssuerRecord& one : *issuers) {
      if (pki::IsIssuedBy(certificate->get(), one.certificate.get())) issuer = one.name.ToString();
    }
  }
  if (!serial.ok()) return serial.status();
  const auto count = held->store.Revoke(*serial, issuer, reason->second, options.lineage);
  if (!count.ok()) return count.status();
  std::cout << "revoked " << *count << '\n';
  return kOk;
}

absl::StatusOr<int> Verify(const Options& options) {
  const auto store = Store::Open(options.folder, options.PassphraseFile());
  if (!store.ok()) return store.status();
  const auto certificate = ReadCertificate(options.file);
  if (!certificate.ok()) return certificate.status();
  const auto verdict = store->Verify(certificate->get());
  if (!verdict.ok()) return verdict.status();
  std::cout << options.file << ": " << verdict->reason << '\n';
  if (verdict->standing != Standing::kGood) return kBad;
  const auto info = pki::Describe(certificate->get());
  const std::int64_t left_s = info->not_after_s - NowMicros() / kMicrosPerSecond;
  return left_s < options.within_days * kDaySeconds ? kExpiring : kOk;
}

absl::StatusOr<int> List(const Options& options) {
  const auto store = Store::Open(options.folder, options.PassphraseFile());
  if (!store.ok()) return store.status();
  const auto records = store->List();
  if (!records.ok()) return records.status();
  const std::int64_t now_s = NowMicros() / kMicrosPerSecond;
  nlohmann::json all = nlohmann::json::array();
  for (const Record& record : *records) {
    const std::int64_t left_s = record.info.not_after_s - now_s;
    if (options.expiring_only && (left_s <= 0 || left_s > options.within_days * kDaySeconds)) {
      continue;
    }
    const auto certificate = pki::ParseCertificate(record.pem);
    const auto verdict = store->Verify(certificate->get());
    if (!verdict.ok()) return verdict.status();
    constexpr const char* kStandings[] = {"good", "expired", "not-yet-valid", "revoked", "foreign"};
    const char* const standing = kStandings[static_cast<int>(verdict->standing)];
    const std::string end = FormatRfc3339(record.info.not_after_s * kMicrosPerSecond);
    if (options.json) {
      all.push_back({{"profile", record.profile},
                     {"name", record.info.common_name},
                     {"serial", record.info.serial.hex()},
                     {"issuer", record.issuer},
                     {"not_after", end},
                     {"state", standing},
                     {"sha256", HexEncode(record.info.sha256)}});
    } else {
      std::cout << record.profile << "  " << record.info.common_name << "  " << end << "  "
                << standing << "  " << record.info.serial.hex() << "  "
                << HexEncode(record.info.sha256) << '\n';
    }
  }
  if (options.json) std::cout << all.dump(2) << '\n';
  return kOk;
}

absl::StatusOr<int> Fingerprint(const Options& options) {
  const auto certificate = ReadCertificate(options.file);
  if (!certificate.ok()) return certificate.status();
  const auto info = pki::Describe(certificate->get());
  if (!info.ok()) return info.status();
  std::cout << HexEncode(info->sha256) << '\n';
  return kOk;
}

absl::StatusOr<int> Crl(const Options& options) {
  auto held = Hold(options);
  if (!held.ok()) return held.status();
  const auto count = held->store.PublishCrls();
  if (!count.ok()) return count.status();
  const auto issuers = held->store.Issuers();
  if (!issuers.ok()) return issuers.status();
  for (const authority::IssuerRecord& issuer : *issuers) {
    const auto crl = held->store.folder().ReadCrl(issuer);
    if (!crl.ok()) return crl.status();
    if (!*crl) continue;
    std::cout << options.folder << "/crl/" << issuer.name.ToString() << ".crl  number "
              << (*crl)->number() << "  entries " << (*crl)->entries().size() << "  next update "
              << FormatRfc3339((*crl)->next_update_s() * kMicrosPerSecond) << '\n';
  }
  return kOk;
}

absl::StatusOr<int> HandshakeConnect(const Options& options) {
  const std::size_t colon = options.target.rfind(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("the target is HOST:PORT");
  const auto port = static_cast<std::uint16_t>(std::atoi(options.target.c_str() + colon + 1));
  const auto result = Connect(options.target.substr(0, colon), port, options.server_name,
                              FilesOf(options), Timeout(options));
  if (!result.ok()) return result.status();
  std::cout << Describe(*result) << '\n';
  const bool wanted = options.expect == "accepted";
  return result->accepted == wanted ? kOk : kBad;
}

absl::StatusOr<int> HandshakeListen(const Options& options) {
  const absl::Status s = Listen(static_cast<std::uint16_t>(options.port), options.connections,
                                FilesOf(options), Timeout(options), std::cout);
  if (!s.ok()) return s;
  return kOk;
}

}  // namespace postern::certs
