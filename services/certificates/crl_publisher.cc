#include "services/certificates/crl_publisher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/certificates/limits.h"
#include "services/certificates/transaction.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/certificate.h"

namespace postern::certificates {
namespace {

constexpr std::chrono::milliseconds kInterval{500};
// A CRL is renewed after a quarter of its life.
constexpr std::int64_t kRenewals = 4;
// How often the ages are looked at without a change.
constexpr std::int64_t kLookSeconds = 2;

std::int64_t NowSeconds() { return NowMicros() / kMicrosPerSecond; }

}  // namespace

CrlPublisher::CrlPublisher(Settings settings, Authorities& authorities,
                           std::function<void()> on_published, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      authorities_(authorities),
      on_published_(std::move(on_published)),
      metrics_(metrics) {}

absl::Status CrlPublisher::Start(db::Connection& connection) {
  if (absl::Status synced = authorities_.Sync(connection); !synced.ok()) return synced;
  for (const Authorities::Known& known : authorities_.known()) {
    if (absl::Status merged = MergeDisk(connection, known.name); !merged.ok()) return merged;
  }
  if (absl::Status stepped = Step(connection); !stepped.ok()) return stepped;
  db::UpkeepThread::Callbacks callbacks;
  callbacks.step = [this](db::Connection& own) {
    const absl::Status status = Step(own);
    if (!status.ok() && warn_limit_.Allow()) {
      log::Warn("crl_not_published", "error", status.ToString());
    }
    return kInterval;
  };
  callbacks.on_unavailable = [](const absl::Status&) {};
  callbacks.at_end = [](db::Connection&) {};
  thread_ = std::make_unique<db::UpkeepThread>("crl", settings_.database, kInterval,
                                               std::move(callbacks));
  return absl::OkStatus();
}

void CrlPublisher::Stop() {
  if (thread_) thread_->Stop();
}

FileMark CrlPublisher::MarkOnDisk(const std::string& name) const {
  return MarkOf(StrCat(authorities_.folder().path(), "/crl/", name, ".crl"));
}

absl::Status CrlPublisher::WriteDisk(const StoredCrl& crl) {
  const auto name = authority::IssuerName::Parse(crl.issuer);
  if (!name.ok()) return name.status();
  const auto lock = authority::FolderLock::Take(authorities_.folder().path());
  if (!lock.ok()) return lock.status();
  // Revoked by hand a moment ago: the next look takes it in.
  if (disk_marks_[crl.issuer] != MarkOnDisk(crl.issuer)) return absl::OkStatus();
  if (absl::Status s = authorities_.folder().WriteCrl(*name, crl.der); !s.ok()) return s;
  disk_marks_[crl.issuer] = MarkOnDisk(crl.issuer);
  disk_numbers_[crl.issuer] = crl.header.number;
  return absl::OkStatus();
}

absl::Status CrlPublisher::MergeDisk(db::Connection& connection, const std::string& name) {
  const FileMark mark = MarkOnDisk(name);
  const auto disk = authorities_.DiskCrl(name);
  if (!disk.ok()) {
    return absl::Status(disk.status().code(),
                        StrCat(ToStd(disk.status().message()),
                               "; restore the file, or take it away to begin from the database"));
  }
  disk_marks_[name] = mark;
  if (!disk->has_value()) return absl::OkStatus();
  const pki::RevocationList& list = **disk;
  disk_numbers_[name] = list.number();
  const auto stored = FindCrl(connection, name, false);
  if (!stored.ok()) return stored.status();
  if (*stored && (*stored)->header.number >= list.number()) return absl::OkStatus();
  const auto end_s = authorities_.EndOf(name);
  if (!end_s.ok()) return end_s.status();
  const auto merge = [&]() -> absl::StatusOr<std::int64_t> {
    const auto revision = RaiseTrustRevision(connection);
    if (!revision.ok()) return revision.status();
    std::int64_t added = 0;
    for (const auto& [serial, revocation] : list.entries()) {
      const auto certificate = FindBySerial(connection, serial);
      if (!certificate.ok()) return certificate.status();
      NewRevocation made{name, serial, revocation.reason,
                         revocation.revoked_at_s * kMicrosPerSecond, *end_s * kMicrosPerSecond};
      if (*certificate) made.not_after_us = (*certificate)->not_after_us;
      const auto recorded = RecordRevocation(connection, made, *certificate, *revision);
      if (!recorded.ok()) return recorded.status();
      if (*recorded) ++added;
    }
    return added;
  };
  const auto added = InTransaction(connection, merge);
  if (!added.ok()) return added.status();
  log::Warn("crl_of_folder_is_newer", "issuer", name, "number", list.number(), "revoked_again",
            *added);
  return absl::OkStatus();
}

absl::Status CrlPublisher::Step(db::Connection& connection) {
  const auto revision = ReadTrustRevision(connection);
  if (!revision.ok()) return revision.status();
  const std::int64_t now_s = NowSeconds();
  if (*revision == seen_revision_ && now_s < next_look_s_) return absl::OkStatus();
  if (absl::Status synced = authorities_.Sync(connection); !synced.ok()) return synced;
  for (const Authorities::Known& known : authorities_.known()) {
    // What nobody trusts needs no CRL.
    if (!IsTrusted(known.state) || !authorities_.HasKey(known.name)) continue;
    if (absl::Status looked = Look(connection, known.name); !looked.ok()) return looked;
  }
  seen_revision_ = *revision;
  next_look_s_ = now_s + kLookSeconds;
  return absl::OkStatus();
}

absl::Status CrlPublisher::Look(db::Connection& connection, const std::string& name) {
  if (disk_marks_[name] != MarkOnDisk(name)) {
    if (absl::Status merged = MergeDisk(connection, name); !merged.ok()) return merged;
  }
  const auto stored = FindCrl(connection, name, false);
  if (!stored.ok()) return stored.status();
  bool due = !*stored;
  if (!due) {
    const StoredCrl& crl = **stored;
    const auto newest = NewestRevocation(connection, name, crl.holds_revision);
    if (!newest.ok()) return newest.status();
    const std::int64_t renewal_s =
        crl.header.this_update_s + pki::kBackdateSeconds + settings_.crl_life.count() / kRenewals;
    due = *newest != 0 || NowSeconds() >= renewal_s || disk_numbers_[name] > crl.header.number;
  }
  return due ? Publish(connection, name) : absl::OkStatus();
}

absl::Status CrlPublisher::Publish(db::Connection& connection, const std::string& name) {
  const auto issuer = authorities_.Find(name);
  if (!issuer.ok()) return issuer.status();
  const auto build = [&]() -> absl::StatusOr<StoredCrl> {
    // Also keeps other servers from building one at the same time.
    const auto revision = RaiseTrustRevision(connection);
    if (!revision.ok()) return revision.status();
    const auto last = FindCrl(connection, name, false);
    if (!last.ok()) return last.status();
    const auto entries = SelectRevokedEntries(connection, name, NowMicros());
    if (!entries.ok()) return entries.status();
    const authority::CrlHeader before = *last ? (*last)->header : authority::CrlHeader();
    StoredCrl crl;
    crl.issuer = name;
    crl.header.number = std::max(before.number, disk_numbers_[name]) + 1;
    // Dated back, so that many in a short time rise by a second each and none lies in the future.
    crl.header.this_update_s =
        std::max(before.this_update_s + 1, NowSeconds() - pki::kBackdateSeconds);
    crl.header.next_update_s =
        crl.header.this_update_s + pki::kBackdateSeconds + settings_.crl_life.count();
    crl.entries = static_cast<std::int64_t>(entries->size());
    crl.holds_revision = *revision;
    crl.der = (*issuer)->SignCrl(crl.header, *entries);
    const absl::Status replaced = ReplaceCrl(connection, crl, *revision);
    if (!replaced.ok()) return replaced;
    return crl;
  };
  const auto crl = InTransaction(connection, build);
  if (!crl.ok()) return crl.status();
  log::Info("crl_published", "issuer", name, "number", crl->header.number, "entries", crl->entries);
  Export(*crl);
  on_published_();
  return WriteDisk(*crl);
}

void CrlPublisher::Export(const StoredCrl& crl) {
  const metrics::Labels labels = {{"issuer", crl.issuer}};
  metrics_.Gauge("postern_crl_number", "Number of the newest CRL.", labels)
      .Set(static_cast<double>(crl.header.number));
  metrics_.Gauge("postern_crl_entries", "Certificates that the newest CRL lists.", labels)
      .Set(static_cast<double>(crl.entries));
  metrics_
      .Gauge("postern_crl_next_update_timestamp_seconds", "When the next CRL is due at the latest.",
             labels)
      .Set(static_cast<double>(crl.header.next_update_s));
}

}  // namespace postern::certificates
