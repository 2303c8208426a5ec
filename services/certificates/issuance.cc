#include "services/certificates/issuance.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/certificates/limits.h"
#include "services/certificates/revocation_repository.h"
#include "services/certificates/transaction.h"
#include "services/common/audit/act.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/key.h"

namespace postern::certificates {
namespace {

constexpr char kEnrolment[] = "enrolment";

absl::Status Record(db::Connection& connection, const char* action, const std::string& actor,
                    const StoredCertificate& certificate) {
  audit::Act act;
  act.actor = actor;
  act.action = action;
  act.target = StrCat("certificate/", certificate.serial.hex());
  act.details = {{"profile", certificate.profile},
                 {"name", certificate.name},
                 {"issuer", certificate.issuer},
                 {"public_key_sha256", HexEncode(certificate.public_key_sha256)}};
  if (!certificate.renewed_from.empty()) {
    act.details["renewed_from"] = certificate.renewed_from.hex();
  }
  return audit::Append(connection, act);
}

// A key certified for two names would let one pass for the other, and one that somebody else has
// must not come back.
absl::Status CheckKey(db::Connection& connection, const authority::Subject& subject,
                      const std::string& public_key_sha256) {
  const auto others = SelectByKey(connection, public_key_sha256);
  if (!others.ok()) return others.status();
  for (const StoredCertificate& other : *others) {
    if (other.revoked_at_us != 0 &&
        other.revocation_reason == v1::REVOCATION_REASON_KEY_COMPROMISE) {
      return absl::FailedPreconditionError(
          StrCat("the key was revoked as compromised with certificate ", other.serial.hex(),
                 ": make a new key"));
    }
    const auto profile = authority::FindProfile(other.profile);
    if (!profile.ok() || other.name != subject.name ||
        (*profile)->spiffe_role != subject.profile->spiffe_role) {
      return absl::FailedPreconditionError(
          StrCat("the key belongs to ", other.profile, " ", other.name, ": make a new key"));
    }
  }
  return absl::OkStatus();
}

StoredCertificate StoredOf(const pki::CertificateInfo& info, std::string issuer, std::string der,
                           const authority::Subject& subject) {
  StoredCertificate stored;
  stored.serial = info.serial;
  stored.issuer = std::move(issuer);
  stored.profile = subject.profile->name;
  stored.name = subject.name;
  stored.sha256 = info.sha256;
  stored.public_key_sha256 = info.public_key_sha256;
  stored.not_after_us = info.not_after_s * kMicrosPerSecond;
  stored.lineage = info.serial;
  stored.der = std::move(der);
  return stored;
}

// Signs and registers; without the row of the audit log, which comes last.
absl::StatusOr<Issued> SignAndInsert(db::Connection& connection, const Authorities& authorities,
                                     const authority::Subject& subject, EVP_PKEY* public_key,
                                     const std::string& requested_by,
                                     const StoredCertificate* predecessor) {
  const auto issuer = authorities.Active(subject.profile->issuer);
  if (!issuer.ok()) return issuer.status();
  const std::int64_t now_us = NowMicros();
  const absl::Status key = CheckKey(connection, subject, pki::PublicKeySha256(public_key));
  if (!key.ok()) return key;
  const auto leaf =
      (*issuer)->Sign(subject, public_key, pki::Serial::Random(), now_us / kMicrosPerSecond);
  if (!leaf.ok()) return leaf.status();
  const auto info = pki::Describe(leaf->get());
  if (!info.ok()) return info.status();
  const std::string name = (*issuer)->name().ToString();
  Issued issued;
  issued.stored = StoredOf(*info, name, pki::CertificateDer(leaf->get()), subject);
  issued.stored.issued_at_us = now_us;
  issued.stored.requested_by = requested_by;
  if (predecessor != nullptr) {
    issued.stored.renewed_from = predecessor->serial;
    issued.stored.lineage = predecessor->lineage;
  }
  auto chain = authorities.Chain(leaf->get(), name);
  if (!chain.ok()) return chain.status();
  issued.chain_pem = *std::move(chain);
  absl::Status status = InsertCertificate(connection, issued.stored);
  if (status.ok() && issued.stored.profile == "client") {
    status = RegisterWithClient(connection, issued.stored, now_us);
  }
  if (!status.ok()) return status;
  return issued;
}

absl::Status Denied(std::string_view why) { return absl::PermissionDeniedError(ToAbsl(why)); }

// Whether `caller` may renew a certificate of the subject.
absl::Status CheckCaller(const tls::SpiffeId& caller, const authority::Subject& subject) {
  const bool own = subject.SpiffeId(caller.trust_domain) == caller.ToString();
  const bool for_client =
      caller.role == tls::Role::kEdge && subject.profile->issuer == authority::Kind::kClients;
  if (own || for_client || caller.role == tls::Role::kOperator) return absl::OkStatus();
  return Denied("only its holder, an operator, or an edge for a client, renews a certificate");
}

// A client renews through an edge as often as it likes, and each of its certificates is in every
// edge's directory: only so many.
absl::Status CheckLineage(db::Connection& connection, const pki::Serial& lineage) {
  const auto line = SelectLineage(connection, lineage);
  if (!line.ok()) return line.status();
  const std::int64_t now_us = NowMicros();
  const auto good = std::count_if(line->begin(), line->end(), [now_us](const auto& one) {
    return one.revoked_at_us == 0 && one.not_after_us > now_us;
  });
  if (good < kLineageGoodMax) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(good,
             " certificates of this line are good: use the newest, or ask the operator to "
             "revoke the others"));
}

// The row of a certificate that is to be renewed; makes one when it was issued by hand.
absl::StatusOr<StoredCertificate> Adopt(db::Connection& connection, const std::string& issuer,
                                        X509* certificate, const pki::CertificateInfo& info,
                                        const authority::Subject& subject) {
  auto known = FindBySerial(connection, info.serial);
  if (!known.ok()) return known.status();
  if (*known) {
    if ((*known)->sha256 != info.sha256) {
      return Denied("another certificate of this serial number is registered");
    }
    if (absl::Status s = LockLineage(connection, (*known)->lineage); !s.ok()) return s;
    return **std::move(known);
  }
  StoredCertificate stored = StoredOf(info, issuer, pki::CertificateDer(certificate), subject);
  stored.issued_at_us = info.not_before_s * kMicrosPerSecond;
  stored.requested_by = "postern-certs";
  if (absl::Status s = InsertCertificate(connection, stored); !s.ok()) return s;
  return stored;
}

// `first` and all that were renewed from it, directly or not.
std::vector<StoredCertificate> Descendants(std::vector<StoredCertificate> line,
                                           const pki::Serial& first) {
  std::set<pki::Serial> taken = {first};
  for (bool grown = true; grown;) {
    grown = false;
    for (const StoredCertificate& one : line) {
      if (taken.contains(one.renewed_from) && taken.insert(one.serial).second) grown = true;
    }
  }
  std::erase_if(line, [&](const StoredCertificate& one) { return !taken.contains(one.serial); });
  return line;
}

absl::StatusOr<std::vector<StoredCertificate>> Targets(db::Connection& connection,
                                                       const RevokeOrder& order) {
  auto known = FindBySerial(connection, order.serial);
  if (!known.ok()) return known.status();
  if (!*known) return std::vector<StoredCertificate>();
  if (!order.issuer.empty() && order.issuer != (*known)->issuer) {
    return absl::InvalidArgumentError(
        StrCat("issuer: the certificate is of ", (*known)->issuer, ", not of ", order.issuer));
  }
  auto line = SelectLineage(connection, (*known)->lineage);
  if (!line.ok()) return line.status();
  if (order.lineage) return Descendants(*std::move(line), order.serial);
  std::vector<StoredCertificate> one;
  one.push_back(**std::move(known));
  return one;
}

// A certificate that is not registered, as far as it is known.
absl::StatusOr<StoredCertificate> Unregistered(const Authorities& authorities,
                                               const RevokeOrder& order) {
  if (order.issuer.empty()) {
    return absl::NotFoundError(StrCat("no certificate ", order.serial.hex(),
                                      " is registered; name its issuing CA to revoke it anyway"));
  }
  const auto end_s = authorities.EndOf(order.issuer);
  if (!end_s.ok()) return end_s.status();
  StoredCertificate stored;
  stored.serial = order.serial;
  stored.issuer = order.issuer;
  stored.not_after_us = *end_s * kMicrosPerSecond;
  return stored;
}

v1::Certificate ShownRevoked(const StoredCertificate& stored, int reason, std::int64_t now_us) {
  v1::Certificate shown;
  if (!stored.der.empty()) {
    if (auto whole = ToProto(stored, now_us); whole.ok()) shown = *std::move(whole);
  }
  shown.set_serial(stored.serial.hex());
  shown.set_issuer(stored.issuer);
  shown.set_state(v1::CERTIFICATE_STATE_REVOKED);
  shown.set_revoked_at_us(now_us);
  shown.set_revocation_reason(static_cast<v1::RevocationReason>(reason));
  return shown;
}

absl::Status RecordRevoke(db::Connection& connection, const RevokeOrder& order,
                          const std::string& actor, std::size_t count) {
  audit::Act act;
  act.actor = actor;
  act.action = "certificate.revoke";
  act.target = StrCat("certificate/", order.serial.hex());
  act.details = {{"reason", StrCat(order.reason)},
                 {"lineage", order.lineage ? "true" : "false"},
                 {"revoked", StrCat(count)}};
  return audit::Append(connection, act);
}

}  // namespace

absl::Status CheckCommonName(const std::string& common_name, const std::string& name) {
  if (common_name.empty() || common_name == name) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("the certificate request names ", common_name, ", the certificate is for ", name));
}

absl::StatusOr<Issued> Issue(db::Connection& connection, const Authorities& authorities,
                             const authority::Subject& subject, EVP_PKEY* public_key,
                             const std::string& actor) {
  return InTransaction(connection, [&]() -> absl::StatusOr<Issued> {
    auto issued = SignAndInsert(connection, authorities, subject, public_key, actor, nullptr);
    if (!issued.ok()) return issued;
    const absl::Status s = Record(connection, "certificate.issue", actor, issued->stored);
    if (!s.ok()) return s;
    return issued;
  });
}

absl::Status AddToken(db::Connection& connection, const EnrolmentToken& token) {
  const auto add = [&]() -> absl::StatusOr<bool> {
    if (absl::Status s = InsertToken(connection, token); !s.ok()) return s;
    audit::Act act;
    act.actor = token.created_by;
    act.action = "enrolment_token.create";
    act.target = StrCat(token.subject.profile->name, "/", token.subject.name);
    act.details = {{"expires_at", FormatRfc3339(token.expires_at_us)}};
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    return true;
  };
  return InTransaction(connection, add).status();
}

absl::StatusOr<Issued> Enrol(db::Connection& connection, const Authorities& authorities,
                             const std::string& token_sha256, EVP_PKEY* public_key,
                             const std::string& common_name, const std::string& actor) {
  return InTransaction(connection, [&]() -> absl::StatusOr<Issued> {
    const auto token = FindToken(connection, token_sha256);
    if (!token.ok()) return token.status();
    if (!*token) return Denied("the enrolment token is not known; ask for a new one");
    if ((*token)->used_at_us != 0) {
      return Denied(StrCat("the enrolment token was used at ", FormatRfc3339((*token)->used_at_us),
                           "; ask for a new one"));
    }
    const std::int64_t now_us = NowMicros();
    if (now_us >= (*token)->expires_at_us) {
      return Denied(StrCat("the enrolment token expired at ",
                           FormatRfc3339((*token)->expires_at_us), "; ask for a new one"));
    }
    const authority::Subject& subject = (*token)->subject;
    if (!CheckCommonName(common_name, subject.name).ok()) {
      return Denied("the enrolment token is for another name than the certificate request");
    }
    auto issued = SignAndInsert(connection, authorities, subject, public_key, kEnrolment, nullptr);
    if (!issued.ok()) return issued;
    absl::Status s = UseToken(connection, token_sha256, issued->stored.serial, now_us);
    if (s.ok()) s = Record(connection, "certificate.enrol", actor, issued->stored);
    if (!s.ok()) return s;
    return issued;
  });
}

absl::StatusOr<Issued> Renew(db::Connection& connection, const Authorities& authorities,
                             X509* current, const tls::SpiffeId& caller, EVP_PKEY* public_key,
                             const std::string& common_name) {
  const auto issuer = authorities.IssuerOf(current);
  if (!issuer.ok()) return issuer.status();
  const auto info = pki::Describe(current);
  if (!info.ok()) return Denied(ToStd(info.status().message()));
  const auto subject = authority::SubjectOf(*info, caller.trust_domain);
  if (!subject.ok()) return Denied(ToStd(subject.status().message()));
  if (absl::Status allowed = CheckCaller(caller, *subject); !allowed.ok()) return allowed;
  if (absl::Status named = CheckCommonName(common_name, subject->name); !named.ok()) return named;
  const std::string actor = StrCat(tls::RoleName(caller.role), "/", caller.name);
  return InTransaction(connection, [&]() -> absl::StatusOr<Issued> {
    const auto known = Adopt(connection, *issuer, current, *info, *subject);
    if (!known.ok()) return known.status();
    // After the lock of its line: a revocation under way is waited for.
    const auto revoked = IsRevoked(connection, *issuer, info->serial);
    if (!revoked.ok()) return revoked.status();
    if (*revoked) return Denied(StrCat("certificate ", info->serial.hex(), " is revoked"));
    if (info->not_after_s * kMicrosPerSecond <= NowMicros()) {
      return Denied(StrCat("certificate ", info->serial.hex(), " ended at ",
                           FormatRfc3339(info->not_after_s * kMicrosPerSecond), ": enrol again"));
    }
    if (caller.role == tls::Role::kEdge && subject->profile->issuer == authority::Kind::kClients) {
      if (absl::Status s = CheckLineage(connection, known->lineage); !s.ok()) return s;
    }
    auto issued = SignAndInsert(connection, authorities, *subject, public_key, actor, &*known);
    if (!issued.ok()) return issued;
    const absl::Status s = Record(connection, "certificate.renew", actor, issued->stored);
    if (!s.ok()) return s;
    return issued;
  });
}

absl::StatusOr<Revoked> Revoke(db::Connection& connection, const Authorities& authorities,
                               const RevokeOrder& order, const std::string& actor) {
  return InTransaction(connection, [&]() -> absl::StatusOr<Revoked> {
    const auto revision = RaiseTrustRevision(connection);
    if (!revision.ok()) return revision.status();
    auto targets = Targets(connection, order);
    if (!targets.ok()) return targets.status();
    if (targets->empty()) {
      auto unregistered = Unregistered(authorities, order);
      if (!unregistered.ok()) return unregistered.status();
      targets->push_back(*std::move(unregistered));
    }
    Revoked done;
    done.revision = *revision;
    std::size_t count = 0;
    const std::int64_t now_us = NowMicros();
    for (const StoredCertificate& target : *targets) {
      std::optional<StoredCertificate> registered;
      if (!target.der.empty()) registered = target;
      const auto recorded = RecordRevocation(
          connection, {target.issuer, target.serial, order.reason, now_us, target.not_after_us},
          registered, *revision);
      if (!recorded.ok()) return recorded.status();
      if (!*recorded) continue;
      if (++count <= kRevokedNamedMax) {
        done.certificates.push_back(ShownRevoked(target, order.reason, now_us));
      }
    }
    const absl::Status s = RecordRevoke(connection, order, actor, count);
    if (!s.ok()) return s;
    return done;
  });
}

}  // namespace postern::certificates
