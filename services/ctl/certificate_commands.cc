#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "postern/v1/client_service.grpc.pb.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/rpc/status.h"
#include "services/ctl/certificate_files.h"
#include "services/ctl/certificate_view.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/text.h"

// The commands that make certificates. Keys are made here; the server never sees them.
namespace postern::ctl {
namespace {

constexpr std::int64_t kDaySeconds = 24 * 3600;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr int kDaysMax = 36'500;

struct SubjectOptions {
  std::string profile;
  std::string name;
  std::vector<std::string> hosts;
  int days = 0;

  void Fill(v1::CertificateSubject& subject) const {
    subject.set_profile(profile);
    subject.set_name(name);
    for (const std::string& host : hosts) subject.add_hosts(host);
    subject.set_life_seconds(days * kDaySeconds);
  }
};

struct IssueOptions {
  SubjectOptions subject;
  CertificateFiles files;
  std::string domain;
};

struct TokenOptions {
  SubjectOptions subject;
  int valid_minutes = 60;
  std::string token_file;
};

struct EnrolOptions {
  std::string name;
  std::string token_file;
  CertificateFiles files;
};

struct RenewOptions {
  std::string file;
  bool same_key = false;
  bool if_due = false;
  CertificateFiles files;
};

absl::StatusOr<std::unique_ptr<v1::CertificateService::Stub>> Stub(Context& context) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  return v1::CertificateService::NewStub(*channel);
}

// Writes the files and shows what was issued.
template <typename Response>
absl::Status Hand(Context& context, const CertificateFiles& files, const CertificateOrder& order,
                  const std::string& name, const Response& response) {
  const auto path = WriteOrder(files, order, name, response.chain_pem());
  if (!path.ok()) {
    context.SetFix(StrCat("Certificate ", response.certificate().serial(),
                          " was issued; revoke it, or correct the path and issue again."));
    return path.status();
  }
  const v1::Certificate* const one = &response.certificate();
  if (context.options().json()) {
    context.out() << ToJson(*one);
  } else {
    PrintCertificates(context.out(), {&one, 1}, !context.options().no_headers);
  }
  context.err() << "Wrote " << *path << ".\n";
  return absl::OkStatus();
}

absl::Status EnsureClient(Context& context, const IssueOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::CreateClientRequest request;
  request.set_client_id(options.subject.name);
  request.set_domain(options.domain);
  v1::CreateClientResponse response;
  const grpc::Status status =
      v1::ClientService::NewStub(*channel)->CreateClient(context.Call().get(), request, &response);
  if (status.error_code() == grpc::StatusCode::ALREADY_EXISTS) return absl::OkStatus();
  return rpc::FromGrpc(status);
}

absl::Status Issue(Context& context, const IssueOptions& options) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  const auto order = PrepareOrder(options.files, options.subject.name);
  if (!order.ok()) return order.status();
  if (!options.domain.empty()) {
    if (absl::Status s = EnsureClient(context, options); !s.ok()) return s;
  }
  v1::IssueCertificateRequest request;
  options.subject.Fill(*request.mutable_subject());
  request.set_csr(order->csr);
  v1::IssueCertificateResponse response;
  const grpc::Status status = (*stub)->IssueCertificate(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  return Hand(context, options.files, *order, options.subject.name, response);
}

absl::Status Token(Context& context, const TokenOptions& options) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::CreateEnrolmentTokenRequest request;
  options.subject.Fill(*request.mutable_subject());
  request.set_valid_seconds(options.valid_minutes * 60);
  v1::CreateEnrolmentTokenResponse response;
  const grpc::Status status =
      (*stub)->CreateEnrolmentToken(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (!options.token_file.empty()) {
    absl::Status s = WriteFileAtomically(options.token_file, response.token() + "\n");
    if (!s.ok()) return s;
  } else if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    context.out() << response.token() << '\n';
  }
  context.err() << "Good for one certificate of " << options.subject.name << " until "
                << TimeText(response.expires_at_us()) << "; it is not shown again.\n";
  return absl::OkStatus();
}

absl::Status Enrol(Context& context, const EnrolOptions& options) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  const auto token = ReadSecretFile(options.token_file);
  if (!token.ok()) return absl::FailedPreconditionError(token.status().message());
  const auto order = PrepareOrder(options.files, options.name);
  if (!order.ok()) return order.status();
  v1::EnrolCertificateRequest request;
  request.set_token(*token);
  request.set_csr(order->csr);
  v1::EnrolCertificateResponse response;
  const grpc::Status status = (*stub)->EnrolCertificate(context.Call().get(), request, &response);
  if (!status.ok()) {
    context.SetFix("Ask for a new token: posternctl cert token PROFILE NAME");
    return rpc::FromGrpc(status);
  }
  return Hand(context, options.files, *order, options.name, response);
}

absl::Status Renew(Context& context, const RenewOptions& options) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  const auto current = ReadCertificateFile(options.file);
  if (!current.ok()) return current.status();
  const auto info = pki::Describe(current->get());
  if (!info.ok()) return absl::FailedPreconditionError(info.status().message());
  const std::int64_t due_s = info->not_before_s + (info->not_after_s - info->not_before_s) / 3 * 2;
  if (options.if_due && NowMicros() / kMicrosPerSecond < due_s) {
    context.err() << "Not due before " << FormatRfc3339(due_s * kMicrosPerSecond) << ".\n";
    return absl::OkStatus();
  }
  CertificateFiles files = options.files;
  if (files.out.empty()) {
    files.out = std::filesystem::path(options.file).replace_extension().string();
  }
  if (options.same_key) {
    files.key_file = std::filesystem::path(options.file).replace_extension(".key").string();
  }
  const auto order = PrepareOrder(files, info->common_name);
  if (!order.ok()) return order.status();
  v1::RenewCertificateRequest request;
  request.set_csr(order->csr);
  request.set_certificate(pki::CertificatePem(current->get()));
  v1::RenewCertificateResponse response;
  const grpc::Status status = (*stub)->RenewCertificate(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  return Hand(context, files, *order, info->common_name, response);
}

void AddSubject(CLI::App* verb, SubjectOptions& subject) {
  verb->add_option("profile", subject.profile,
                   "client, edge, worker, portal, server, operator, listen or store")
      ->required();
  verb->add_option("name", subject.name, "Its name: 1 to 64 of [a-z0-9._-]")->required();
  verb->add_option("--host", subject.hosts, "DNS name or IP address beside localhost")
      ->type_name("HOST");
  verb->add_option("--days", subject.days, "Life (by profile)")
      ->check(CLI::Range(1, kDaysMax))
      ->type_name("DAYS");
}

void AddFiles(CLI::App* verb, CertificateFiles& files) {
  verb->add_option("--csr", files.csr_file, "A certificate request; otherwise a new key is made")
      ->type_name("FILE");
  verb->add_option("--key-kind", files.key_kind, "ec-p256, ec-p384 or rsa-3072 (ec-p256)")
      ->type_name("KIND");
  verb->add_option("--out", files.out, "Path of the files without .pem and .key (NAME)")
      ->type_name("PATH");
  verb->add_option("--pkcs12", files.pkcs12_file, "Key and chain as PKCS#12 instead")
      ->type_name("FILE");
  verb->add_option("--password-file", files.password_file, "Its password, a file of mode 0600")
      ->type_name("FILE");
}

}  // namespace

void AddCertificateMakers(CommandTree& tree, CLI::App* noun, Context& context) {
  auto issued = std::make_shared<IssueOptions>();
  CLI::App* const issue =
      tree.Verb(noun, "issue", "Issues a certificate for a new key, or for a request.",
                "issue the certificate", [&context, issued] { return Issue(context, *issued); });
  AddSubject(issue, issued->subject);
  AddFiles(issue, issued->files);
  issue->add_option("--domain", issued->domain, "Registers the client first, if it is not yet")
      ->type_name("HOST");

  auto wanted = std::make_shared<TokenOptions>();
  CLI::App* const token =
      tree.Verb(noun, "token", "Makes a token that is good for one certificate.", "make the token",
                [&context, wanted] { return Token(context, *wanted); });
  AddSubject(token, wanted->subject);
  token->add_option("--valid-minutes", wanted->valid_minutes, "1 to 10080 (60)")
      ->check(CLI::Range(1, 10'080))
      ->type_name("N");
  token
      ->add_option("--token-file", wanted->token_file,
                   "Write it here, mode 0600, not to the screen")
      ->type_name("FILE");

  auto enrolled = std::make_shared<EnrolOptions>();
  CLI::App* const enrol =
      tree.Verb(noun, "enrol", "Gets the certificate that a token is good for.", "enrol",
                [&context, enrolled] { return Enrol(context, *enrolled); });
  enrol->add_option("name", enrolled->name, "For whom the token is")->required();
  enrol->add_option("--token-file", enrolled->token_file, "The token, a file of mode 0600")
      ->required()
      ->type_name("FILE");
  AddFiles(enrol, enrolled->files);

  auto renewed = std::make_shared<RenewOptions>();
  CLI::App* const renew =
      tree.Verb(noun, "renew", "Issues the successor of a good certificate, in its place.",
                "renew the certificate", [&context, renewed] { return Renew(context, *renewed); });
  renew->add_option("file", renewed->file, "The certificate, PEM")->required();
  renew->add_flag("--same-key", renewed->same_key,
                  "Keep the key beside it, so that a running program never sees half of a change");
  renew->add_flag("--if-due", renewed->if_due,
                  "Does nothing while more than a third of its life is left: for a timer");
  AddFiles(renew, renewed->files);
}

}  // namespace postern::ctl
