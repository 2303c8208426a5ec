#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/rpc/status.h"
#include "services/ctl/certificate_files.h"
#include "services/ctl/certificate_view.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/pages.h"
#include "services/ctl/text.h"

// The commands that look certificates up, and that end them.
namespace postern::ctl {
namespace {

constexpr std::int64_t kDaySeconds = 24 * 3600;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// How `cert check` ends, as monitoring plugins do.
enum Check : int { kGood = 0, kExpiring = 1, kBad = 2, kUnknown = 3 };

struct RevokeOptions {
  std::string certificate;
  std::string issuer;
  std::string reason = "unspecified";
  bool lineage = false;
};

struct ListOptions {
  std::string profile;
  std::string name;
  std::string state;
  int expiring_days = 0;
  std::int32_t limit = kDefaultPageSize;
  std::string page_token;
  bool all = false;
};

struct CheckOptions {
  std::string file;
  int within_days = 14;
  bool offline = false;
};

absl::StatusOr<std::unique_ptr<v1::CertificateService::Stub>> Stub(Context& context) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  return v1::CertificateService::NewStub(*channel);
}

template <typename Certificates>
void Print(Context& context, const Certificates& certificates, bool with_header) {
  std::vector<const v1::Certificate*> all;
  for (const v1::Certificate& one : certificates) all.push_back(&one);
  PrintCertificates(context.out(), all, with_header && !context.options().no_headers);
}

absl::Status Revoke(Context& context, const RevokeOptions& options) {
  const auto serial = SerialOf(options.certificate);
  if (!serial.ok()) return serial.status();
  v1::RevokeCertificateRequest request;
  request.set_serial(*serial);
  request.set_issuer(options.issuer);
  request.set_lineage(options.lineage);
  v1::RevocationReason reason = v1::REVOCATION_REASON_UNSPECIFIED;
  ParseReason(options.reason, &reason);
  request.set_reason(reason);
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::RevokeCertificateResponse response;
  const grpc::Status status = (*stub)->RevokeCertificate(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    Print(context, response.revoked(), true);
  }
  context.err() << (response.revoked_size() == 0 ? "It was revoked before; nothing changed.\n"
                                                 : "Refused everywhere within two seconds.\n");
  return absl::OkStatus();
}

absl::Status Show(Context& context, const std::string& certificate) {
  const auto serial = SerialOf(certificate);
  if (!serial.ok()) return serial.status();
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::GetCertificateRequest request;
  request.set_serial(*serial);
  v1::GetCertificateResponse response;
  const grpc::Status status = (*stub)->GetCertificate(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    PrintCertificate(context.out(), response.certificate());
  }
  return absl::OkStatus();
}

v1::ListCertificatesRequest ListRequest(const ListOptions& options) {
  v1::ListCertificatesRequest request;
  request.set_profile(options.profile);
  request.set_name(options.name);
  if (options.state == "valid") request.set_state(v1::CERTIFICATE_STATE_VALID);
  if (options.state == "expired") request.set_state(v1::CERTIFICATE_STATE_EXPIRED);
  if (options.state == "revoked") request.set_state(v1::CERTIFICATE_STATE_REVOKED);
  request.set_expiring_within_seconds(options.expiring_days * kDaySeconds);
  request.set_page_size(options.all ? kPageSizeMax : options.limit);
  request.set_page_token(options.page_token);
  return request;
}

absl::Status List(Context& context, const ListOptions& options) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::ListCertificatesRequest request = ListRequest(options);
  return ListPages<v1::ListCertificatesResponse>(
      context, std::move(request), options.all, "certificates",
      [&](const auto& ask, auto& page) {
        return (*stub)->ListCertificates(context.Call().get(), ask, &page);
      },
      [](const auto& page) -> const auto& { return page.certificates(); },
      [&](const auto& rows, bool first) { Print(context, rows, first); });
}

struct Finding {
  Check check = kGood;
  std::string text;
};

Finding CheckLife(const pki::CertificateInfo& info, int within_days) {
  const std::int64_t left_s = info.not_after_s - NowMicros() / kMicrosPerSecond;
  const std::string end = TimeText(info.not_after_s * kMicrosPerSecond);
  if (left_s <= 0) return {kBad, StrCat("expired at ", end)};
  const std::string left = StrCat(left_s / kDaySeconds, " days left, until ", end);
  if (left_s < within_days * kDaySeconds) return {kExpiring, StrCat("expiring: ", left)};
  return {kGood, StrCat("good: ", left)};
}

// What the server says about it.
Finding AskServer(Context& context, const pki::CertificateInfo& info, Finding found) {
  const auto stub = Stub(context);
  if (!stub.ok()) return {kUnknown, std::string(stub.status().message())};
  v1::GetCertificateRequest request;
  request.set_sha256(HexEncode(info.sha256));
  v1::GetCertificateResponse response;
  const grpc::Status status = (*stub)->GetCertificate(context.Call().get(), request, &response);
  // Issued by hand and not renewed yet: the server learns of it then.
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
    return {found.check, found.text + ", not registered at the server"};
  }
  if (!status.ok()) return {kUnknown, status.error_message()};
  const v1::Certificate& certificate = response.certificate();
  if (certificate.state() == v1::CERTIFICATE_STATE_REVOKED) {
    return {kBad, StrCat("revoked at ", TimeText(certificate.revoked_at_us()), " (",
                         ReasonText(certificate.revocation_reason()), ")")};
  }
  return found;
}

absl::Status CheckFile(Context& context, const CheckOptions& options) {
  // Whatever goes wrong: monitoring is told that nothing is known.
  context.SetExitCode(kUnknown);
  const auto certificate = ReadCertificateFile(options.file);
  if (!certificate.ok()) return certificate.status();
  const auto info = pki::Describe(certificate->get());
  if (!info.ok()) return info.status();
  Finding found = CheckLife(*info, options.within_days);
  if (found.check != kBad && !options.offline) found = AskServer(context, *info, found);
  context.SetExitCode(found.check);
  if (context.options().json()) {
    constexpr const char* kWords[] = {"good", "expiring", "bad", "unknown"};
    context.out() << CheckJson(options.file, kWords[found.check], found.text,
                               info->not_after_s * kMicrosPerSecond);
  } else {
    context.out() << options.file << ": " << found.text << '\n';
  }
  return absl::OkStatus();
}

void AddRevoke(CommandTree& tree, CLI::App* noun, Context& context) {
  auto options = std::make_shared<RevokeOptions>();
  CLI::App* const revoke = tree.Verb(
      noun, "revoke", "Revokes a certificate, everywhere within two seconds.",
      "revoke the certificate", [&context, options] { return Revoke(context, *options); });
  revoke->add_option("certificate", options->certificate, "Its serial number, or its file")
      ->required();
  revoke
      ->add_option("--reason", options->reason,
                   "unspecified, key-compromise, affiliation-changed, superseded, "
                   "cessation-of-operation or privilege-withdrawn")
      ->check(CLI::Validator(
          [](std::string& text) {
            v1::RevocationReason reason;
            return ParseReason(text, &reason) ? "" : "not a reason: " + text;
          },
          "REASON"));
  revoke->add_option("--issuer", options->issuer, "Its issuing CA, if it was never registered")
      ->type_name("CA");
  revoke->add_flag("--lineage", options->lineage, "Also all that were renewed from it");
}

void AddList(CommandTree& tree, CLI::App* noun, Context& context) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* const list =
      tree.Verb(noun, "list", "Lists certificates, the next to end first.", "list certificates",
                [&context, options] { return List(context, *options); });
  list->add_option("--profile", options->profile, "Only of this profile")->type_name("PROFILE");
  list->add_option("--name", options->name, "Only of this name")->type_name("NAME");
  list->add_option("--state", options->state, "Only valid, expired or revoked ones")
      ->check(CLI::IsMember({"valid", "expired", "revoked"}))
      ->type_name("STATE");
  list->add_option("--expiring", options->expiring_days, "Only what ends within so many days")
      ->check(CLI::Range(1, 36'500))
      ->type_name("DAYS");
  list->add_option("--limit", options->limit, "At most so many, 1 to 1000 (50)")
      ->check(CLI::Range(1, kPageSizeMax))
      ->type_name("N");
  list->add_option("--page-token", options->page_token, "Go on where a page ended")
      ->type_name("TOKEN");
  list->add_flag("--all", options->all, "Every page");
}

}  // namespace

void AddCertificateCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("cert", "Certificates.");
  AddCertificateMakers(tree, noun, context);
  AddRevoke(tree, noun, context);
  AddList(tree, noun, context);
  auto shown = std::make_shared<std::string>();
  tree.Verb(noun, "show", "Shows a registered certificate.", "show the certificate",
            [&context, shown] { return Show(context, *shown); })
      ->add_option("certificate", *shown, "Its serial number, or its file")
      ->required();
  auto checked = std::make_shared<CheckOptions>();
  CLI::App* const check = tree.Verb(noun, "check", "For monitoring: is a certificate file good?",
                                    "check the certificate",
                                    [&context, checked] { return CheckFile(context, *checked); });
  check->footer(
      "Exit status:\n  0 good   1 ends soon   2 expired or revoked   3 could not tell (also 2 for "
      "wrong usage)");
  check->add_option("file", checked->file, "The certificate, PEM")->required();
  check->add_option("--within", checked->within_days, "Ends soon: within so many days (14)")
      ->check(CLI::Range(0, 36'500))
      ->type_name("DAYS");
  check->add_flag("--offline", checked->offline, "Without asking the server whether it is revoked");
}

}  // namespace postern::ctl
