#include "services/certificates/authorities.h"

#include <algorithm>
#include <utility>

#include "services/certificates/revocation_repository.h"
#include "services/certificates/transaction.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/pki/certificate.h"

namespace postern::certificates {
namespace {

using authority::IssuerName;
using authority::IssuerRecord;
using authority::State;

const IssuerRecord* FindRecord(const std::vector<IssuerRecord>& records, const std::string& name) {
  for (const IssuerRecord& record : records) {
    if (record.name.ToString() == name) return &record;
  }
  return nullptr;
}

IssuerRecord CopyOf(const IssuerRecord& record) {
  X509_up_ref(record.certificate.get());
  return {record.name, record.state, crypto::X509Ptr(record.certificate.get())};
}

bool SameStates(const std::vector<IssuerRecord>& a, const std::vector<IssuerRecord>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const IssuerRecord& x, const IssuerRecord& y) {
                      return x.name.ToString() == y.name.ToString() && x.state == y.state;
                    });
}

absl::Status NotHere(const std::string& name) {
  return absl::FailedPreconditionError(
      StrCat("this server does not hold the key of issuing CA ", name));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Authorities>> Authorities::Open(const std::string& path,
                                                               const std::string& passphrase_file) {
  absl::StatusOr<authority::Folder> folder = authority::Folder::Open(path);
  if (!folder.ok()) return folder.status();
  absl::StatusOr<crypto::Secret> passphrase = authority::ReadPassphrase(passphrase_file);
  if (!passphrase.ok()) return passphrase.status();
  std::unique_ptr<Authorities> made(new Authorities(*std::move(folder), *std::move(passphrase)));
  const auto records = made->folder_.ReadIssuers();
  if (!records.ok()) return records.status();
  for (const IssuerRecord& record : *records) {
    const absl::Status loaded = made->LoadKey(record.name);
    if (!loaded.ok() && loaded.code() != absl::StatusCode::kNotFound) return loaded;
  }
  return made;
}

absl::Status Authorities::LoadKey(const IssuerName& name) {
  absl::StatusOr<authority::Issuer> issuer = folder_.ReadIssuer(name, passphrase_.view());
  if (!issuer.ok()) return issuer.status();
  const std::lock_guard lock(mutex_);
  keys_[name.ToString()] = std::make_shared<const authority::Issuer>(*std::move(issuer));
  return absl::OkStatus();
}

absl::Status Authorities::FirstStates(db::Connection& connection) {
  const auto records = folder_.ReadIssuers();
  if (!records.ok()) return records.status();
  const auto insert = [&]() -> absl::StatusOr<bool> {
    const auto revision = RaiseTrustRevision(connection);
    if (!revision.ok()) return revision.status();
    // Another server may have been first.
    const auto there = SelectAuthorities(connection);
    if (!there.ok() || !there->empty())
      return there.status().ok() ? absl::StatusOr<bool>(false) : there.status();
    for (const IssuerRecord& record : *records) {
      const absl::Status s = InsertAuthority(connection, record, *revision, NowMicros());
      if (!s.ok()) return s;
    }
    return true;
  };
  return InTransaction(connection, insert).status();
}

absl::Status Authorities::Sync(db::Connection& connection) {
  auto records = SelectAuthorities(connection);
  if (records.ok() && records->empty()) {
    if (absl::Status first = FirstStates(connection); !first.ok()) return first;
    records = SelectAuthorities(connection);
  }
  if (!records.ok()) return records.status();
  {
    const std::lock_guard lock(mutex_);
    if (SameStates(records_, *records)) return absl::OkStatus();
    for (const IssuerRecord& record : *records) {
      const auto key = keys_.find(record.name.ToString());
      if (key != keys_.end() &&
          X509_cmp(key->second->certificate(), record.certificate.get()) != 0) {
        return absl::FailedPreconditionError(
            StrCat("issuing CA ", key->first, " of ", folder_.path(),
                   " is not the one that the database knows by that name"));
      }
    }
  }
  const absl::Status written = WriteFolder(*records);
  if (!written.ok()) log::Warn("ca_folder_not_written", "error", written.message());
  const std::lock_guard lock(mutex_);
  records_ = *std::move(records);
  return absl::OkStatus();
}

// What the folder holds beside (a CA that is not introduced yet) stays as it is.
absl::Status Authorities::WriteFolder(const std::vector<IssuerRecord>& records) const {
  auto on_disk = folder_.ReadIssuers();
  if (!on_disk.ok()) return on_disk.status();
  bool changed = false;
  for (IssuerRecord& record : *on_disk) {
    const IssuerRecord* const known = FindRecord(records, record.name.ToString());
    if (known == nullptr || known->state == record.state) continue;
    record.state = known->state;
    changed = true;
  }
  for (const IssuerRecord& record : records) {
    if (FindRecord(*on_disk, record.name.ToString()) != nullptr) continue;
    on_disk->push_back(CopyOf(record));
    changed = true;
  }
  return changed ? folder_.WriteTrust(*on_disk) : absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const authority::Issuer>> Authorities::Active(
    authority::Kind kind) const {
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    for (const IssuerRecord& record : records_) {
      if (record.name.kind == kind && record.state == State::kActive) name = record.name.ToString();
    }
  }
  if (name.empty()) {
    return absl::FailedPreconditionError(
        StrCat("no issuing CA of the ", KindName(kind), " is active"));
  }
  return Find(name);
}

absl::StatusOr<std::shared_ptr<const authority::Issuer>> Authorities::Find(
    const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(name);
  if (found == keys_.end()) return NotHere(name);
  return found->second;
}

bool Authorities::HasKey(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return keys_.contains(name);
}

absl::StatusOr<std::string> Authorities::IssuerOf(X509* certificate) const {
  const std::lock_guard lock(mutex_);
  for (const IssuerRecord& record : records_) {
    if (IsTrusted(record.state) && pki::IsIssuedBy(certificate, record.certificate.get())) {
      return record.name.ToString();
    }
  }
  return absl::PermissionDeniedError("the certificate is not of an issuing CA in force");
}

absl::StatusOr<std::int64_t> Authorities::EndOf(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const IssuerRecord* const record = FindRecord(records_, name);
  if (record == nullptr) return absl::NotFoundError(StrCat("there is no issuing CA ", name));
  return pki::UnixSeconds(X509_get0_notAfter(record->certificate.get()));
}

std::vector<Authorities::Known> Authorities::known() const {
  const std::lock_guard lock(mutex_);
  std::vector<Known> all;
  for (const IssuerRecord& record : records_) {
    all.push_back(
        {record.name.ToString(), record.state, pki::CertificatePem(record.certificate.get())});
  }
  return all;
}

absl::StatusOr<std::string> Authorities::Chain(X509* leaf, const std::string& issuer) const {
  const std::lock_guard lock(mutex_);
  const IssuerRecord* const record = FindRecord(records_, issuer);
  if (record == nullptr) return absl::NotFoundError(StrCat("there is no issuing CA ", issuer));
  return StrCat(pki::CertificatePem(leaf), pki::CertificatePem(record->certificate.get()));
}

absl::Status Authorities::Introduce(db::Connection& connection, const IssuerName& name) {
  if (absl::Status loaded = LoadKey(name); !loaded.ok()) return loaded;
  const auto issuer = Find(name.ToString());
  if (!issuer.ok()) return issuer.status();
  const auto root = folder_.ReadRootCertificate();
  if (!root.ok()) return root.status();
  if (!pki::IsIssuedBy((*issuer)->certificate(), root->get())) {
    return absl::FailedPreconditionError(
        StrCat("issuing CA ", name.ToString(), " is not of the root of ", folder_.path()));
  }
  const auto revision = RaiseTrustRevision(connection);
  if (!revision.ok()) return revision.status();
  const auto there = SelectAuthorities(connection);
  if (!there.ok()) return there.status();
  if (FindRecord(*there, name.ToString()) != nullptr) {
    return absl::FailedPreconditionError(
        StrCat("issuing CA ", name.ToString(), " is introduced already"));
  }
  X509_up_ref((*issuer)->certificate());
  const IssuerRecord record{name, State::kIncoming, crypto::X509Ptr((*issuer)->certificate())};
  return InsertAuthority(connection, record, *revision, NowMicros());
}

absl::Status Authorities::Move(db::Connection& connection, const IssuerName& name, State to) {
  if (to == State::kActive && !HasKey(name.ToString())) {
    if (absl::Status loaded = LoadKey(name); !loaded.ok()) return loaded;
  }
  const auto revision = RaiseTrustRevision(connection);
  if (!revision.ok()) return revision.status();
  auto records = SelectAuthorities(connection);
  if (!records.ok()) return records.status();
  if (absl::Status moved = authority::Move(*records, name, to); !moved.ok()) return moved;
  for (const IssuerRecord& record : *records) {
    const absl::Status s = UpdateAuthority(connection, record, *revision, NowMicros());
    if (!s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<pki::RevocationList>> Authorities::DiskCrl(
    const std::string& name) const {
  std::optional<IssuerRecord> record;
  {
    const std::lock_guard lock(mutex_);
    const IssuerRecord* const found = FindRecord(records_, name);
    if (found == nullptr) return std::nullopt;
    record = CopyOf(*found);
  }
  return folder_.ReadCrl(*record);
}

}  // namespace postern::certificates
