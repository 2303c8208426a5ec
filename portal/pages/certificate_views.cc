#include "portal/pages/certificate_views.h"

#include <algorithm>
#include <array>

#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

// The last third of its life is when a certificate should be renewed.
constexpr std::int64_t kParts = 3;
constexpr std::int64_t kPercent = 100;

struct Reason {
  v1::RevocationReason reason;
  std::string_view word;
  std::string_view label;
};
constexpr std::array kReasons{
    Reason{v1::REVOCATION_REASON_KEY_COMPROMISE, "key-compromise",
           "Somebody else has or had the key"},
    Reason{v1::REVOCATION_REASON_SUPERSEDED, "superseded", "Another certificate took its place"},
    Reason{v1::REVOCATION_REASON_CESSATION_OF_OPERATION, "cessation", "The client is no more"},
    Reason{v1::REVOCATION_REASON_AFFILIATION_CHANGED, "affiliation", "Its name is no longer right"},
    Reason{v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN, "privilege",
           "It may no longer do what it certifies"},
    Reason{v1::REVOCATION_REASON_UNSPECIFIED, "unspecified", "Nothing of that"},
};

}  // namespace

View CertificateMark(const v1::Certificate& certificate, std::int64_t now_us) {
  if (certificate.state() == v1::CERTIFICATE_STATE_REVOKED) return Mark("bad", "ban", "Revoked");
  if (certificate.state() == v1::CERTIFICATE_STATE_EXPIRED) return Mark("", "clock", "Expired");
  const std::int64_t life = certificate.not_after_us() - certificate.not_before_us();
  const bool ends_soon = certificate.not_after_us() - now_us < life / kParts;
  return ends_soon ? Mark("warn", "clock", "Ends soon") : Mark("good", "check", "Valid");
}

View CertificateRow(const Visit& visit, const v1::Certificate& certificate) {
  View row;
  row["address"] = View(StrCat("/certificates/", certificate.serial()));
  row["name"] = View(certificate.name());
  row["profile"] = View(certificate.profile());
  row["serial"] = View(certificate.serial());
  row["mark"] = CertificateMark(certificate, visit.now_us);
  row["ends"] = visit.Time(certificate.not_after_us());
  row["issued"] = visit.Time(certificate.issued_at_us());
  return row;
}

void PutCertificate(View& view, const Visit& visit, const v1::Certificate& certificate) {
  view["serial"] = View(certificate.serial());
  view["name"] = View(certificate.name());
  view["profile"] = View(certificate.profile());
  view["issuer"] = View(certificate.issuer());
  view["spiffe_id"] = View(certificate.spiffe_id());
  view["sha256"] = View(certificate.sha256());
  view["key_type"] = View(certificate.key_type());
  view["mark"] = CertificateMark(certificate, visit.now_us);
  view["begins"] = visit.Time(certificate.not_before_us());
  view["ends"] = visit.Time(certificate.not_after_us());
  view["issued"] = visit.Time(certificate.issued_at_us());
  view["requested_by"] = View(certificate.requested_by());
  SetText(view, "renewed_from", certificate.renewed_from());
  std::string hosts;
  for (const std::string& host : certificate.hosts())
    StrAppend(&hosts, hosts.empty() ? "" : ", ", host);
  SetText(view, "hosts", hosts);
  const bool revoked = certificate.state() == v1::CERTIFICATE_STATE_REVOKED;
  view["revoked"] = visit.Time(certificate.revoked_at_us());
  std::string_view reason;
  for (const Reason& known : kReasons) {
    if (known.reason == certificate.revocation_reason()) reason = known.label;
  }
  SetText(view, "revocation_reason", revoked ? reason : "");
  view["can_revoke"] = View(!revoked);
  const std::int64_t life =
      std::max<std::int64_t>(1, certificate.not_after_us() - certificate.not_before_us());
  const std::int64_t used =
      std::clamp<std::int64_t>(visit.now_us - certificate.not_before_us(), 0, life);
  view["used_percent"] = View(std::to_string(used * kPercent / life));
}

std::optional<v1::RevocationReason> ReasonOfWord(std::string_view word) {
  for (const Reason& known : kReasons) {
    if (known.word == word) return known.reason;
  }
  return std::nullopt;
}

ViewList ReasonChoices(std::string_view chosen) {
  ViewList choices;
  choices.push_back(Choice("", "Choose a reason", chosen.empty()));
  for (const Reason& known : kReasons) {
    choices.push_back(Choice(known.word, known.label, known.word == chosen));
  }
  return choices;
}

}  // namespace postern::portal
