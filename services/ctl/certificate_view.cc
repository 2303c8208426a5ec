#include "services/ctl/certificate_view.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

std::string Words(const std::string& enum_name, std::size_t prefix) {
  if (enum_name.size() <= prefix) return "unknown";
  return absl::StrReplaceAll(absl::AsciiStrToLower(enum_name.substr(prefix)), {{"_", "-"}});
}

}  // namespace

std::string StateText(v1::CertificateState state) {
  return Words(v1::CertificateState_Name(state), sizeof "CERTIFICATE_STATE_" - 1);
}

std::string StateText(v1::AuthorityState state) {
  return Words(v1::AuthorityState_Name(state), sizeof "AUTHORITY_STATE_" - 1);
}

std::string ReasonText(v1::RevocationReason reason) {
  return Words(v1::RevocationReason_Name(reason), sizeof "REVOCATION_REASON_" - 1);
}

bool ParseReason(const std::string& text, v1::RevocationReason* reason) {
  const std::string name =
      "REVOCATION_REASON_" + absl::AsciiStrToUpper(absl::StrReplaceAll(text, {{"-", "_"}}));
  return v1::RevocationReason_Parse(name, reason);
}

void PrintCertificates(std::ostream& out, std::span<const v1::Certificate* const> certificates,
                       bool with_header) {
  Table table({"SERIAL", "PROFILE", "NAME", "STATE", "ENDS", "ISSUER", "REQUESTED_BY"});
  for (const v1::Certificate* one : certificates) {
    table.Add({one->serial(), OrDash(one->profile()), OrDash(one->name()), StateText(one->state()),
               TimeText(one->not_after_us()), one->issuer(), OrDash(one->requested_by())});
  }
  table.Print(out, with_header);
}

void PrintCertificate(std::ostream& out, const v1::Certificate& certificate) {
  Table table({"FIELD", "VALUE"});
  table.Add({"serial", certificate.serial()});
  table.Add({"issuer", certificate.issuer()});
  table.Add({"profile", certificate.profile()});
  table.Add({"spiffe id", certificate.spiffe_id()});
  if (certificate.hosts_size() > 0) {
    table.Add({"hosts", absl::StrJoin(certificate.hosts(), ", ")});
  }
  table.Add({"key", certificate.key_type()});
  table.Add({"begins", TimeText(certificate.not_before_us())});
  table.Add({"ends", TimeText(certificate.not_after_us())});
  table.Add({"issued", TimeText(certificate.issued_at_us())});
  table.Add({"requested by", certificate.requested_by()});
  if (!certificate.renewed_from().empty()) table.Add({"renewed from", certificate.renewed_from()});
  table.Add({"lineage", certificate.lineage()});
  table.Add({"state", StateText(certificate.state())});
  if (certificate.revoked_at_us() != 0) {
    table.Add({"revoked", TimeText(certificate.revoked_at_us())});
    table.Add({"reason", ReasonText(certificate.revocation_reason())});
  }
  table.Add({"sha256", certificate.sha256()});
  table.Add({"public key sha256", certificate.public_key_sha256()});
  table.Print(out, false);
}

}  // namespace postern::ctl
