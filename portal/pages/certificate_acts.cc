#include "absl/strings/numbers.h"
#include "portal/pages/certificate_views.h"
#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Certificates = v1::CertificateService::StubInterface::async_interface;

constexpr std::int64_t kDaySeconds = 24 * 3600;
constexpr std::int64_t kLifeDaysMax = 825;
constexpr std::size_t kPasswordBytesMin = 8;
constexpr std::size_t kPasswordBytesMax = 128;
constexpr std::size_t kCsrBytesMax = 16 * 1024;

http::Response NewCertificatePage(Visit& visit, const Faults& faults) {
  View view = visit.Frame("Issue a certificate", "certificates");
  const bool given = visit.request.method == "POST";
  PutField(view, "name", given ? visit.form.Get("name") : visit.query.Get("client"), faults);
  PutField(view, "days", visit.form.Get("days"), faults);
  PutField(view, "csr", visit.form.Get("csr"), faults);
  PutField(view, "password", "", faults);
  PutField(view, "source", "", faults);
  const std::string_view source = visit.form.Get("source");
  ViewList sources;
  sources.push_back(Choice("csr", "From a certificate request: the key stays where it was made",
                           source.empty() || source == "csr"));
  sources.push_back(
      Choice("pkcs12", "New key, as a PKCS#12 file with a password", source == "pkcs12"));
  sources.push_back(Choice("pem", "New key, as PEM texts, shown once", source == "pem"));
  view["sources"] = View(sources);
  return visit.Page("certificate_new", view, faults.empty() ? 200 : 422);
}

void ReadLife(const Visit& visit, v1::CertificateSubject* subject, Faults& faults) {
  const std::string_view text = visit.form.Get("days");
  if (text.empty()) return;
  std::int64_t days = 0;
  if (!absl::SimpleAtoi(ToAbsl(text), &days) || days < 1 || days > kLifeDaysMax) {
    faults["days"] = StrCat("A whole number from 1 to ", kLifeDaysMax, ".");
    return;
  }
  subject->set_life_seconds(days * kDaySeconds);
}

void ReadSource(const Visit& visit, v1::IssueCertificateRequest& ask, Faults& faults) {
  const std::string_view source = visit.form.Get("source");
  if (source == "csr") {
    const std::string_view csr = visit.form.Get("csr");
    if (csr.empty()) faults["csr"] = "Paste the certificate request.";
    if (csr.size() > kCsrBytesMax) faults["csr"] = StrCat("At most ", kCsrBytesMax, " bytes.");
    ask.set_csr(std::string(csr));
  } else if (source == "pkcs12") {
    const std::string_view password = visit.form.Get("password");
    if (password.size() < kPasswordBytesMin || password.size() > kPasswordBytesMax) {
      faults["password"] = StrCat(kPasswordBytesMin, " to ", kPasswordBytesMax, " bytes.");
    }
    ask.mutable_new_key()->set_format(v1::KEY_FORMAT_PKCS12);
    ask.mutable_new_key()->set_password(std::string(password));
  } else if (source == "pem") {
    ask.mutable_new_key()->set_format(v1::KEY_FORMAT_PEM);
  } else {
    faults["source"] = "Choose where the key comes from.";
  }
}

// Which field a refusal of the authority is about.
Faults FaultOfIssuing(const absl::Status& status) {
  if (auto named = FaultsOf(status, "name csr password days")) return *std::move(named);
  const std::string_view text = ToStd(status.message());
  const bool about_request =
      text.find("request") != std::string_view::npos || text.find("key") != std::string_view::npos;
  Faults faults;
  faults[about_request ? "csr" : "name"] = std::string(text);
  return faults;
}

http::Response Pkcs12Download(const v1::IssueCertificateResponse& issued) {
  http::Response file;
  file.content_type = "application/x-pkcs12";
  file.body = issued.pkcs12();
  // The name is one of [a-z0-9._-].
  file.fields.emplace_back("Content-Disposition", StrCat("attachment; filename=\"",
                                                         issued.certificate().name(), ".p12\""));
  return file;
}

boost::asio::awaitable<absl::StatusOr<v1::GetCertificateResponse>> Find(Visit& visit) {
  v1::GetCertificateRequest ask;
  ask.set_serial(visit.parameter);
  return visit.Ask(visit.backend().certificates->async(), &Certificates::GetCertificate, ask);
}

http::Response RevocationPage(Visit& visit, const v1::Certificate& certificate,
                              const Faults& faults) {
  View view =
      visit.Frame(StrCat("Revoke the certificate of ", certificate.name(), "?"), "certificates");
  PutCertificate(view, visit, certificate);
  PutField(view, "reason", "", faults);
  PutField(view, "confirm", visit.form.Get("confirm"), faults);
  view["reasons"] = View(ReasonChoices(visit.form.Get("reason")));
  view["lineage_chosen"] =
      View(visit.request.method != "POST" || visit.form.Get("lineage") == "yes");
  return visit.Page("certificate_revoke", view, faults.empty() ? 200 : 422);
}

}  // namespace

PageAnswer ShowNewCertificate(Visit& visit) { co_return NewCertificatePage(visit, Faults()); }

PageAnswer IssueCertificate(Visit& visit) {
  v1::IssueCertificateRequest ask;
  Faults faults;
  v1::CertificateSubject* subject = ask.mutable_subject();
  subject->set_profile("client");
  subject->set_name(std::string(visit.form.Get("name")));
  if (subject->name().empty()) faults["name"] = "Enter the client's id.";
  ReadLife(visit, subject, faults);
  ReadSource(visit, ask, faults);
  if (!faults.empty()) co_return NewCertificatePage(visit, faults);
  const auto issued = co_await visit.Ask(visit.backend().certificates->async(),
                                         &Certificates::IssueCertificate, ask);
  if (absl::IsInvalidArgument(issued.status()) || absl::IsFailedPrecondition(issued.status())) {
    co_return NewCertificatePage(visit, FaultOfIssuing(issued.status()));
  }
  if (!issued.ok()) co_return visit.Failure(issued.status());
  if (!issued->pkcs12().empty()) co_return Pkcs12Download(*issued);
  View view = visit.Frame(StrCat("Certificate of ", issued->certificate().name()), "certificates");
  PutCertificate(view, visit, issued->certificate());
  view["chain"] = View(issued->chain_pem());
  SetText(view, "key", issued->key_pem());
  co_return visit.Page("certificate_issued", view);
}

PageAnswer ConfirmRevocation(Visit& visit) {
  const auto found = co_await Find(visit);
  if (absl::IsInvalidArgument(found.status())) co_return visit.ErrorPage(404);
  if (!found.ok()) co_return visit.Failure(found.status());
  co_return RevocationPage(visit, found->certificate(), Faults());
}

PageAnswer RevokeCertificate(Visit& visit) {
  const auto found = co_await Find(visit);
  if (absl::IsInvalidArgument(found.status())) co_return visit.ErrorPage(404);
  if (!found.ok()) co_return visit.Failure(found.status());
  const std::optional<v1::RevocationReason> reason = ReasonOfWord(visit.form.Get("reason"));
  Faults faults;
  if (!reason.has_value()) faults["reason"] = "Choose a reason.";
  if (visit.form.Get("confirm") != found->certificate().name()) {
    faults["confirm"] = StrCat("Type the name, ", found->certificate().name(), ", to go on.");
  }
  if (!faults.empty()) co_return RevocationPage(visit, found->certificate(), faults);
  v1::RevokeCertificateRequest ask;
  ask.set_serial(visit.parameter);
  ask.set_reason(*reason);
  ask.set_lineage(visit.form.Get("lineage") == "yes");
  const auto done = co_await visit.Ask(visit.backend().certificates->async(),
                                       &Certificates::RevokeCertificate, ask);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return visit.Redirect(
      StrCat("/certificates/", found->certificate().serial(), "?done=revoked"));
}

}  // namespace postern::portal
