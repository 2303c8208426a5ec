#include "services/certificates/trust_feed.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "services/certificates/requests.h"
#include "services/certificates/revocation_repository.h"
#include "services/common/base/strings.h"

namespace postern::certificates {
namespace {

constexpr std::chrono::milliseconds kPollInterval{500};
constexpr std::chrono::seconds kReadTimeout{10};

bool IsServices(const std::string& issuer) {
  return issuer.starts_with(authority::KindName(authority::Kind::kServices));
}

}  // namespace

TrustFeed::TrustFeed(db::Executor& database, std::function<void()> on_change,
                     metrics::Registry& metrics)
    : database_(database),
      on_change_(std::move(on_change)),
      revision_gauge_(metrics.Gauge("postern_trust_feed_revision",
                                    "Revision of the trust as this server gives it out.")),
      watchers_(metrics.Gauge("postern_trust_watchers", "Programs that watch the trust.")),
      poller_("trust-feed", kPollInterval, [this] {
        const absl::Status status = Refresh();
        if (!status.ok() && warn_limit_.Allow()) {
          log::Warn("trust_stale", "error", status.ToString());
        }
      }) {}

TrustFeed::~TrustFeed() { Stop(); }

absl::Status TrustFeed::Start() {
  if (absl::Status status = Refresh(); !status.ok()) return status;
  poller_.Start();
  return absl::OkStatus();
}

void TrustFeed::Stop() {
  poller_.Stop();
  watchers_.Stop();
}

absl::Status TrustFeed::Refresh() {
  // Shared: the work may outlive the wait.
  auto promise = std::make_shared<std::promise<absl::Status>>();
  auto done = promise->get_future();
  auto work = [this, promise](absl::StatusOr<db::Connection*> connection) {
    promise->set_value(connection.ok() ? Read(**connection) : connection.status());
  };
  if (!database_.TrySubmit(Deadline::After(kReadTimeout), std::move(work))) {
    return absl::UnavailableError("the database executor is busy");
  }
  return done.get();
}

absl::Status TrustFeed::Read(db::Connection& connection) {
  const auto revision = ReadTrustRevision(connection);
  if (!revision.ok()) return revision.status();
  Trust known;
  {
    const std::lock_guard lock(mutex_);
    if (trust_.revision == *revision) return absl::OkStatus();
    known = trust_;
  }
  auto next = ReadTrust(connection, *revision, known);
  if (!next.ok()) return next.status();
  {
    const std::lock_guard lock(mutex_);
    // Gone back: the database was restored from a backup. Everybody gets all of it again.
    if (*revision < known.revision) ++generation_;
    trust_ = *std::move(next);
    revision_gauge_.Set(static_cast<double>(trust_.revision));
  }
  watchers_.TellChanged();
  on_change_();
  return absl::OkStatus();
}

absl::StatusOr<TrustFeed::Trust> TrustFeed::ReadTrust(db::Connection& connection,
                                                      std::int64_t revision,
                                                      const Trust& known) const {
  const auto records = SelectAuthorities(connection);
  if (!records.ok()) return records.status();
  Trust next;
  next.revision = revision;
  next.services_pem = TrustedPem(*records, authority::Kind::kServices);
  next.clients_pem = TrustedPem(*records, authority::Kind::kClients);
  next.services_revision =
      next.services_pem == known.services_pem ? known.services_revision : revision;
  next.clients_revision = next.clients_pem == known.clients_pem ? known.clients_revision : revision;
  for (const authority::IssuerRecord& record : *records) {
    if (!IsTrusted(record.state)) continue;
    const std::string name = record.name.ToString();
    const auto header = FindCrl(connection, name, false);
    if (!header.ok()) return header.status();
    std::int64_t holds = 0;
    if (*header) {
      holds = (*header)->holds_revision;
      const auto had = known.crls.find(name);
      const v1::Crl now = ToProto(**header);
      if (had != known.crls.end() && had->second.crl.number() == now.number() &&
          had->second.crl.this_update_us() == now.this_update_us()) {
        next.crls[name] = had->second;
      } else {
        const auto whole = FindCrl(connection, name, true);
        if (!whole.ok()) return whole.status();
        if (*whole) next.crls[name] = {ToProto(**whole), (*whole)->holds_revision, revision};
      }
    }
    const auto early = SelectRevokedAfter(connection, name, holds);
    if (!early.ok()) return early.status();
    for (const RevokedAfter& one : *early) {
      EarlyRevocation& added = next.early.emplace_back();
      added.revoked.set_issuer(name);
      added.revoked.set_serial(std::string(one.serial.bytes()));
      added.revision = std::min(one.revision, revision);
    }
  }
  return next;
}

TrustCursor TrustFeed::CursorAfter(std::int64_t revision, bool services_only) const {
  const std::lock_guard lock(mutex_);
  TrustCursor cursor;
  cursor.services_only = services_only;
  if (revision > 0 && revision <= trust_.revision) {
    cursor.generation = generation_;
    cursor.revision = revision;
  }
  return cursor;
}

// The first step towards a revision: whom to trust, and what is revoked and in no CRL yet.
bool TrustFeed::Begin(TrustCursor& cursor, v1::WatchTrustResponse& step) const {
  const bool snapshot = cursor.generation != generation_;
  if (!snapshot && cursor.revision == trust_.revision) return false;
  if (snapshot) cursor.revision = 0;
  cursor.generation = generation_;
  cursor.towards = trust_.revision;
  cursor.issuer.clear();
  step.set_snapshot(snapshot);
  if (trust_.services_revision > cursor.revision) step.set_services_pem(trust_.services_pem);
  if (trust_.clients_revision > cursor.revision && !cursor.services_only) {
    step.set_clients_pem(trust_.clients_pem);
  }
  for (const EarlyRevocation& early : trust_.early) {
    if (early.revision <= cursor.revision) continue;
    if (cursor.services_only && !IsServices(early.revoked.issuer())) continue;
    *step.add_revoked() = early.revoked;
  }
  return true;
}

bool TrustFeed::NextStep(TrustCursor& cursor, v1::WatchTrustResponse& step) const {
  const std::lock_guard lock(mutex_);
  step.Clear();
  const bool begins = cursor.towards == 0 || cursor.generation != generation_;
  if (begins && !Begin(cursor, step)) return false;
  const auto wanted = [&](const auto& entry) {
    return entry.second.revision > cursor.revision &&
           (!cursor.services_only || IsServices(entry.first));
  };
  auto next = std::find_if(trust_.crls.upper_bound(cursor.issuer), trust_.crls.end(), wanted);
  // What is revoked is told at once; a CRL may be large.
  if (begins && next != trust_.crls.end()) return true;
  if (next != trust_.crls.end()) {
    *step.add_crls() = next->second.crl;
    cursor.issuer = next->first;
    next = std::find_if(std::next(next), trust_.crls.end(), wanted);
  }
  if (next == trust_.crls.end()) {
    step.set_revision(cursor.towards);
    cursor.revision = std::exchange(cursor.towards, 0);
  }
  return true;
}

std::optional<std::string> TrustFeed::Crl(const std::string& issuer) const {
  const std::lock_guard lock(mutex_);
  const auto found = trust_.crls.find(issuer);
  if (found == trust_.crls.end()) return std::nullopt;
  return found->second.crl.der();
}

}  // namespace postern::certificates
