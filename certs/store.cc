#include "certs/store.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_split.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::certs {
namespace {

namespace fs = std::filesystem;

using authority::IssuerRecord;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kCrlLifeSeconds = 7 * 24 * 3600;
constexpr std::int64_t kDaySeconds = 24 * 3600;

std::int64_t NowSeconds() { return NowMicros() / kMicrosPerSecond; }

const IssuerRecord* IssuerOf(const std::vector<IssuerRecord>& issuers, X509* certificate) {
  for (const IssuerRecord& issuer : issuers) {
    if (pki::IsIssuedBy(certificate, issuer.certificate.get())) return &issuer;
  }
  return nullptr;
}

// `renewed_from: <hex>` above the PEM block, as RFC 7468 allows.
absl::StatusOr<Record> ReadRecord(const std::string& path, const std::string& trust_domain,
                                  const std::vector<IssuerRecord>& issuers) {
  const auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  const auto certificate = pki::ParseCertificate(*text);
  if (!certificate.ok()) {
    return absl::InvalidArgumentError(StrCat(path, ": ", ToStd(certificate.status().message())));
  }
  auto info = pki::Describe(certificate->get());
  if (!info.ok()) return info.status();
  Record record;
  record.info = *std::move(info);
  record.pem = pki::CertificatePem(certificate->get());
  const IssuerRecord* const issuer = IssuerOf(issuers, certificate->get());
  record.issuer = issuer == nullptr ? "unknown" : issuer->name.ToString();
  const auto subject = authority::SubjectOf(record.info, trust_domain);
  record.profile = subject.ok() ? std::string(subject->profile->name) : "unknown";
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::pair<std::string, std::string> words =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (words.first != "renewed_from") continue;
    if (auto serial = pki::Serial::FromHex(words.second); serial.ok()) {
      record.renewed_from = *serial;
    }
  }
  return record;
}

// `first` and all that were renewed from it, directly or not.
std::set<pki::Serial> Descendants(const std::vector<Record>& all, const pki::Serial& first) {
  std::set<pki::Serial> taken = {first};
  for (bool grown = true; grown;) {
    grown = false;
    for (const Record& one : all) {
      if (taken.contains(one.renewed_from) && taken.insert(one.info.serial).second) grown = true;
    }
  }
  return taken;
}

}  // namespace

absl::StatusOr<Store> Store::Open(const std::string& path, const std::string& passphrase_file) {
  absl::StatusOr<authority::Folder> folder = authority::Folder::Open(path);
  if (!folder.ok()) return folder.status();
  absl::StatusOr<crypto::Secret> passphrase = authority::ReadPassphrase(passphrase_file);
  if (!passphrase.ok()) return passphrase.status();
  return Store(*std::move(folder), *std::move(passphrase));
}

absl::StatusOr<const authority::Issuer*> Store::OpenIssuer(
    const authority::IssuerName& name) const {
  std::unique_ptr<const authority::Issuer>& open = issuers_[name.ToString()];
  if (open == nullptr) {
    auto issuer = folder_.ReadIssuer(name, passphrase_.view());
    if (!issuer.ok()) return issuer.status();
    open = std::make_unique<const authority::Issuer>(*std::move(issuer));
  }
  return open.get();
}

absl::StatusOr<std::string> Store::Issue(const authority::Subject& subject, EVP_PKEY* public_key,
                                         const pki::Serial& renewed_from) {
  const auto issuers = folder_.ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  const auto active =
      std::find_if(issuers->begin(), issuers->end(), [&](const IssuerRecord& issuer) {
        return issuer.name.kind == subject.profile->issuer &&
               issuer.state == authority::State::kActive;
      });
  if (active == issuers->end()) {
    return absl::FailedPreconditionError(
        StrCat("no issuing CA of the ", KindName(subject.profile->issuer), " is active"));
  }
  const auto issuer = OpenIssuer(active->name);
  if (!issuer.ok()) return issuer.status();
  const pki::Serial serial = pki::Serial::Random();
  const std::string path = StrCat(folder_.path(), "/issued/", serial.hex(), ".pem");
  if (fs::exists(path)) return absl::InternalError(StrCat(path, " is there: broken randomness"));
  const auto leaf = (*issuer)->Sign(subject, public_key, serial, NowSeconds());
  if (!leaf.ok()) return leaf.status();
  fs::create_directories(folder_.path() + "/issued");
  const std::string pem = pki::CertificatePem(leaf->get());
  const std::string before =
      renewed_from.empty() ? "" : StrCat("renewed_from: ", renewed_from.hex(), "\n");
  if (absl::Status s = WriteFileAtomically(path, before + pem); !s.ok()) return s;
  return StrCat(pem, pki::CertificatePem(active->certificate.get()));
}

absl::StatusOr<std::string> Store::Renew(X509* current, EVP_PKEY* public_key) {
  const auto verdict = Verify(current);
  if (!verdict.ok()) return verdict.status();
  if (verdict->standing != Standing::kGood) {
    return absl::FailedPreconditionError(
        StrCat("the certificate cannot be renewed: ", verdict->reason, "; issue a new one"));
  }
  const auto info = pki::Describe(current);
  if (!info.ok()) return info.status();
  const auto subject = authority::SubjectOf(*info, folder_.trust_domain());
  if (!subject.ok()) return subject.status();
  return Issue(*subject, public_key, info->serial);
}

absl::StatusOr<std::vector<Record>> Store::List() const {
  const auto issuers = folder_.ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  std::vector<Record> records;
  std::error_code none;
  for (const auto& file : fs::directory_iterator(folder_.path() + "/issued", none)) {
    if (file.path().extension() != ".pem") continue;
    auto record = ReadRecord(file.path().string(), folder_.trust_domain(), *issuers);
    if (!record.ok()) return record.status();
    records.push_back(*std::move(record));
  }
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return std::pair(a.info.not_after_s, a.info.serial) <
           std::pair(b.info.not_after_s, b.info.serial);
  });
  return records;
}

absl::StatusOr<int> Store::Revoke(const pki::Serial& serial, const std::string& issuer_name,
                                  int reason, bool lineage) {
  const auto issuers = folder_.ReadIssuers();
  const auto records = List();
  if (!issuers.ok() || !records.ok()) return issuers.ok() ? records.status() : issuers.status();
  const std::set<pki::Serial> wanted =
      lineage ? Descendants(*records, serial) : std::set<pki::Serial>{serial};
  std::map<std::string, std::vector<authority::RevokedEntry>> by_issuer;
  for (const pki::Serial& one : wanted) {
    const auto record = std::find_if(records->begin(), records->end(),
                                     [&](const Record& r) { return r.info.serial == one; });
    const std::string name = record == records->end() ? issuer_name : record->issuer;
    if (name.empty()) {
      return absl::NotFoundError(StrCat("no certificate ", one.hex(),
                                        " was issued here; name its issuing CA with --issuer"));
    }
    by_issuer[name].push_back({one, NowSeconds(), reason});
  }
  int count = 0;
  for (const auto& [name, entries] : by_issuer) {
    const auto issuer = std::find_if(issuers->begin(), issuers->end(), [&](const IssuerRecord& r) {
      return r.name.ToString() == name;
    });
    if (issuer == issuers->end()) {
      return absl::NotFoundError(StrCat("there is no issuing CA ", name));
    }
    const auto last = folder_.ReadCrl(*issuer);
    if (!last.ok()) return last.status();
    std::vector<authority::RevokedEntry> added = entries;
    std::erase_if(added, [&](const authority::RevokedEntry& entry) {
      return *last && (*last)->Contains(entry.serial);
    });
    if (added.empty()) continue;
    if (absl::Status s = Publish(*issuer, added); !s.ok()) return s;
    count += static_cast<int>(added.size());
  }
  return count;
}

absl::Status Store::Publish(const IssuerRecord& record,
                            const std::vector<authority::RevokedEntry>& added) const {
  const auto issuer = OpenIssuer(record.name);
  if (!issuer.ok()) return issuer.status();
  const auto last = folder_.ReadCrl(record);
  if (!last.ok()) return last.status();
  authority::CrlHeader header{1, NowSeconds() - pki::kBackdateSeconds, 0};
  std::vector<authority::RevokedEntry> entries = added;
  if (*last) {
    header.number = (*last)->number() + 1;
    header.this_update_s = std::max(header.this_update_s, (*last)->this_update_s() + 1);
    for (const auto& [serial, revocation] : (*last)->entries()) {
      entries.push_back({serial, revocation.revoked_at_s, revocation.reason});
    }
  }
  header.next_update_s = header.this_update_s + kCrlLifeSeconds;
  return folder_.WriteCrl(record.name, (*issuer)->SignCrl(header, entries));
}

absl::StatusOr<int> Store::PublishCrls() const {
  const auto issuers = folder_.ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  int count = 0;
  for (const IssuerRecord& issuer : *issuers) {
    if (!IsTrusted(issuer.state)) continue;
    if (absl::Status s = Publish(issuer, {}); !s.ok()) return s;
    ++count;
  }
  return count;
}

absl::StatusOr<Verdict> Store::Verify(X509* certificate) const {
  const auto issuers = folder_.ReadIssuers();
  if (!issuers.ok()) return issuers.status();
  const auto info = pki::Describe(certificate);
  if (!info.ok()) return info.status();
  const IssuerRecord* const issuer = IssuerOf(*issuers, certificate);
  if (issuer == nullptr || !IsTrusted(issuer->state)) {
    return Verdict{Standing::kForeign, "it is not of an issuing CA in force"};
  }
  const auto subject = authority::SubjectOf(*info, folder_.trust_domain());
  if (!subject.ok()) return Verdict{Standing::kForeign, std::string(subject.status().message())};
  const auto crl = folder_.ReadCrl(*issuer);
  if (!crl.ok()) return crl.status();
  if (*crl && (*crl)->Contains(info->serial)) {
    const pki::Revocation& revocation = (*crl)->entries().at(info->serial);
    return Verdict{
        Standing::kRevoked,
        StrCat("it was revoked at ", FormatRfc3339(revocation.revoked_at_s * kMicrosPerSecond))};
  }
  const std::int64_t now_s = NowSeconds();
  if (info->not_before_s > now_s) {
    return Verdict{Standing::kNotYetValid,
                   StrCat("it begins at ", FormatRfc3339(info->not_before_s * kMicrosPerSecond))};
  }
  const std::string end = FormatRfc3339(info->not_after_s * kMicrosPerSecond);
  if (info->not_after_s <= now_s) return Verdict{Standing::kExpired, StrCat("it ended at ", end)};
  const std::int64_t days = (info->not_after_s - now_s) / kDaySeconds;
  return Verdict{Standing::kGood, StrCat("good until ", end, ", ", days, " days")};
}

}  // namespace postern::certs
