#include "services/common/trust/trust_state.h"

#include <algorithm>
#include <utility>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/certificate.h"
#include "services/common/trust/trust_file.h"

namespace postern::trust {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::int64_t NowSeconds() { return NowMicros() / kMicrosPerSecond; }

absl::Status Refused(std::string_view word) { return absl::PermissionDeniedError(ToAbsl(word)); }

// The first that went wrong; the others are logged where they happen.
void Note(absl::Status& first, absl::Status next) {
  if (first.ok()) first = std::move(next);
}

}  // namespace

TrustState::TrustState(Settings settings, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      metrics_(metrics),
      revision_gauge_(
          metrics.Gauge("postern_trust_revision", "Revision of the trust that is applied here.")),
      fail_closed_(metrics.Gauge("postern_trust_fail_closed",
                                 "Trusted CAs whose certificates are refused for lack of a fresh "
                                 "CRL.")),
      refused_(metrics.Counter("postern_trust_refused_total",
                               "CRLs and CAs that were told and not taken: torn, wrongly signed or "
                               "older than what is here.")),
      current_(std::make_shared<const Snapshot>()) {}

std::shared_ptr<const TrustState::Snapshot> TrustState::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void TrustState::Publish(Snapshot next) {
  Export(next);
  auto published = std::make_shared<const Snapshot>(std::move(next));
  const std::lock_guard lock(mutex_);
  current_ = std::move(published);
}

absl::Status TrustState::Load() {
  const std::lock_guard lock(writing_);
  Snapshot next = *Current();
  for (const bool services : {true, false}) {
    const std::string& path = services ? settings_.services_file : settings_.clients_file;
    if (path.empty()) continue;
    const auto pem = ReadFile(path);
    if (!pem.ok()) return absl::FailedPreconditionError(pem.status().message());
    if (absl::Status s = TakeCas(*pem, services, next.issuers); !s.ok()) {
      return absl::FailedPreconditionError(StrCat(path, ": ", ToStd(s.message())));
    }
  }
  Publish(next);
  if (settings_.file.empty()) return absl::OkStatus();
  const auto kept = ReadTrustFile(settings_.file);
  if (!kept.ok()) return kept.status();
  for (const v1::Crl& crl : kept->crls()) {
    if (absl::Status s = TakeCrl(crl, next); !s.ok()) {
      return absl::Status(s.code(), StrCat(settings_.file, ": ", ToStd(s.message())));
    }
  }
  TakeRevoked(*kept, next);
  next.revision = std::max(next.revision, kept->revision());
  Publish(std::move(next));
  return absl::OkStatus();
}

absl::Status TrustState::Apply(const v1::WatchTrustResponse& step) {
  const std::lock_guard lock(writing_);
  Snapshot next = *Current();
  absl::Status fault;
  Note(fault, TakeBundle(settings_.services_file, step.services_pem(), true, next));
  Note(fault, TakeBundle(settings_.clients_file, step.clients_pem(), false, next));
  TakeRevoked(step, next);
  for (const v1::Crl& crl : step.crls()) {
    absl::Status taken = TakeCrl(crl, next);
    if (!taken.ok()) refused_.Increment();
    Note(fault, std::move(taken));
  }
  if (!fault.ok()) pass_failed_ = true;
  if (step.revision() != 0 && !std::exchange(pass_failed_, false)) next.revision = step.revision();
  Publish(next);
  if (step.revision() != 0) Keep(next);
  return fault;
}

// What is there of a CA stays with it; CAs that are not in `pem` go.
absl::Status TrustState::TakeCas(const std::string& pem, bool services, Issuers& issuers) const {
  auto certificates = pki::ParseCertificates(pem);
  if (!certificates.ok()) return certificates.status();
  Issuers next;
  for (const auto& [subject, issuer] : issuers) {
    if (issuer->services != services) next.emplace(subject, issuer);
  }
  for (crypto::X509Ptr& certificate : *certificates) {
    const std::string subject = tls::SubjectName(certificate.get());
    const auto known = issuers.find(subject);
    if (known != issuers.end() &&
        X509_cmp(known->second->certificate.get(), certificate.get()) == 0) {
      next.emplace(subject, known->second);
      continue;
    }
    auto issuer = std::make_shared<Issuer>();
    issuer->certificate = std::shared_ptr<X509>(std::move(certificate));
    issuer->services = services;
    issuer->name = subject;
    next.emplace(subject, std::move(issuer));
  }
  issuers = std::move(next);
  return absl::OkStatus();
}

absl::Status TrustState::TakeBundle(const std::string& path, const std::string& pem, bool services,
                                    Snapshot& next) {
  if (pem.empty() || path.empty()) return absl::OkStatus();
  if (absl::Status s = TakeCas(pem, services, next.issuers); !s.ok()) {
    refused_.Increment();
    return s;
  }
  // Other programs may keep the same file.
  const auto there = ReadFile(path);
  if (there.ok() && *there == pem) return absl::OkStatus();
  const absl::Status written = WriteFileAtomically(path, pem);
  if (!written.ok()) log::Warn("trust_file_not_written", "reason", written.message());
  return absl::OkStatus();
}

absl::Status TrustState::TakeCrl(const v1::Crl& crl, Snapshot& next) const {
  std::vector<std::shared_ptr<const Issuer>*> places;
  std::vector<X509*> certificates;
  for (auto& [subject, issuer] : next.issuers) {
    places.push_back(&issuer);
    certificates.push_back(issuer->certificate.get());
  }
  std::size_t found = 0;
  auto list = pki::RevocationList::ParseOfOne(crl.der(), certificates, found);
  // Of a CA that nobody here has to do with, or that is not trusted any more.
  if (absl::IsNotFound(list.status())) return absl::OkStatus();
  absl::Status fault = list.status();
  if (list.ok() && (*places[found])->list != nullptr) {
    fault = (*places[found])->list->CheckSuccessor(*list);
  }
  if (!fault.ok()) {
    return absl::Status(fault.code(), StrCat(crl.issuer(), ": ", ToStd(fault.message())));
  }
  auto replaced = std::make_shared<Issuer>();
  replaced->certificate = (*places[found])->certificate;
  replaced->services = (*places[found])->services;
  replaced->name = crl.issuer();
  replaced->list = std::make_shared<const pki::RevocationList>(*std::move(list));
  replaced->der = crl.der();
  absl::erase_if(next.early,
                 [&](const pki::Serial& serial) { return replaced->list->Contains(serial); });
  *places[found] = std::move(replaced);
  return absl::OkStatus();
}

void TrustState::TakeRevoked(const v1::WatchTrustResponse& step, Snapshot& next) const {
  for (const v1::RevokedSerial& revoked : step.revoked()) {
    const auto serial = pki::Serial::FromBytes(revoked.serial());
    if (!serial.ok()) continue;
    const bool listed =
        std::any_of(next.issuers.begin(), next.issuers.end(), [&](const auto& entry) {
          return entry.second->list != nullptr && entry.second->list->Contains(*serial);
        });
    if (!listed) next.early.insert(*serial);
  }
}

void TrustState::Keep(const Snapshot& state) const {
  if (settings_.file.empty()) return;
  v1::WatchTrustResponse kept;
  kept.set_snapshot(true);
  kept.set_revision(state.revision);
  for (const auto& [subject, issuer] : state.issuers) {
    if (issuer->list == nullptr) continue;
    v1::Crl& crl = *kept.add_crls();
    crl.set_issuer(issuer->name);
    crl.set_number(issuer->list->number());
    crl.set_der(issuer->der);
  }
  for (const pki::Serial& serial : state.early) {
    kept.add_revoked()->set_serial(std::string(serial.bytes()));
  }
  const absl::Status written = WriteTrustFile(settings_.file, kept);
  if (!written.ok()) log::Warn("trust_state_not_written", "reason", written.message());
}

absl::Status TrustState::CheckRevoked(const tls::CertificateRef& certificate) const {
  const auto state = Current();
  const auto serial = pki::Serial::FromHex(certificate.serial_hex);
  if (!serial.ok() || state->early.contains(*serial)) return Refused("revoked");
  const auto issuer = state->issuers.find(certificate.issuer);
  if (issuer == state->issuers.end() || issuer->second->list == nullptr) return absl::OkStatus();
  return issuer->second->list->Contains(*serial) ? Refused("revoked") : absl::OkStatus();
}

absl::Status TrustState::Check(const tls::CertificateRef& certificate) const {
  if (absl::Status s = CheckRevoked(certificate); !s.ok()) return s;
  const auto state = Current();
  const auto issuer = state->issuers.find(certificate.issuer);
  if (issuer == state->issuers.end()) return Refused("unknown_issuer");
  if (issuer->second->list == nullptr) return Refused("no_crl");
  return IsFresh(*issuer->second) ? absl::OkStatus() : Refused("crl_too_old");
}

bool TrustState::IsFresh(const Issuer& issuer) const {
  return issuer.list != nullptr && issuer.list->CheckFresh(NowSeconds(), settings_.grace).ok();
}

bool TrustState::IssuedByServices(X509* certificate) const {
  const auto state = Current();
  return std::any_of(state->issuers.begin(), state->issuers.end(), [&](const auto& entry) {
    return entry.second->services && pki::IsIssuedBy(certificate, entry.second->certificate.get());
  });
}

std::vector<std::string> TrustState::StaleIssuers() const {
  std::vector<std::string> stale;
  const auto state = Current();
  // A CA that is new has no CRL for a moment, and has issued nothing.
  const auto has_siblings = [&](const Issuer& issuer) {
    return std::any_of(state->issuers.begin(), state->issuers.end(), [&](const auto& entry) {
      return entry.second->services == issuer.services && entry.second->list != nullptr;
    });
  };
  for (const auto& [subject, issuer] : state->issuers) {
    if (issuer->list == nullptr && has_siblings(*issuer)) continue;
    if (!IsFresh(*issuer)) stale.push_back(issuer->name);
  }
  return stale;
}

bool TrustState::Tick() {
  const std::lock_guard lock(writing_);
  std::vector<std::string> now = StaleIssuers();
  fail_closed_.Set(static_cast<double>(now.size()));
  const bool changed = now != stale_;
  stale_ = std::move(now);
  return changed;
}

std::int64_t TrustState::revision() const { return Current()->revision; }

void TrustState::Export(const Snapshot& state) {
  revision_gauge_.Set(static_cast<double>(state.revision));
  for (const auto& [subject, issuer] : state.issuers) {
    if (issuer->list == nullptr) continue;
    const metrics::Labels labels = {{"issuer", issuer->name}};
    const auto set = [&](const char* name, const char* help, std::int64_t value) {
      metrics_.Gauge(name, help, labels).Set(static_cast<double>(value));
    };
    set("postern_trust_crl_number", "Number of the CRL that is applied here.",
        issuer->list->number());
    set("postern_trust_crl_this_update_timestamp_seconds",
        "When the CRL that is applied here was made.", issuer->list->this_update_s());
    set("postern_trust_crl_next_update_timestamp_seconds",
        "When the next CRL is due; past it and trust.grace_ms its CA's certificates are refused.",
        issuer->list->next_update_s());
    set("postern_trust_crl_entries", "Certificates in the CRL that is applied here.",
        static_cast<std::int64_t>(issuer->list->entries().size()));
  }
}

}  // namespace postern::trust
