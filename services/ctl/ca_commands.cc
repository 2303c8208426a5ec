#include <memory>
#include <string>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/certificate_view.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

struct RotateOptions {
  std::string name;
  std::string step;
  bool force = false;
};

struct CrlOptions {
  std::string name;
  std::string out;
};

absl::StatusOr<std::unique_ptr<v1::CertificateService::Stub>> Stub(Context& context) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  return v1::CertificateService::NewStub(*channel);
}

template <typename Authorities>
void Print(Context& context, const Authorities& authorities) {
  Table table({"NAME", "STATE", "ENDS", "VALID", "KEY", "CRL", "REVOKED", "NEXT_UPDATE"});
  for (const v1::Authority& one : authorities) {
    table.Add({one.name(), StateText(one.state()), TimeText(one.not_after_us()),
               StrCat(one.valid_certificates()), one.key_present() ? "here" : "-",
               one.has_crl() ? StrCat(one.crl().number()) : "-", StrCat(one.crl().entries()),
               TimeText(one.crl().next_update_us())});
  }
  table.Print(context.out(), !context.options().no_headers);
}

absl::Status ShowStatus(Context& context) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::ListAuthoritiesResponse response;
  const grpc::Status status =
      (*stub)->ListAuthorities(context.Call().get(), v1::ListAuthoritiesRequest(), &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    Print(context, response.authorities());
  }
  return absl::OkStatus();
}

absl::Status Rotate(Context& context, const RotateOptions& options) {
  v1::RotateAuthorityRequest request;
  request.set_name(options.name);
  request.set_force(options.force);
  request.set_step(options.step == "introduce"  ? v1::ROTATION_STEP_INTRODUCE
                   : options.step == "activate" ? v1::ROTATION_STEP_ACTIVATE
                                                : v1::ROTATION_STEP_RETIRE);
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::RotateAuthorityResponse response;
  const grpc::Status status = (*stub)->RotateAuthority(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    Print(context, response.authorities());
  }
  return absl::OkStatus();
}

absl::Status FetchCrl(Context& context, const CrlOptions& options) {
  const auto stub = Stub(context);
  if (!stub.ok()) return stub.status();
  v1::GetCrlRequest request;
  request.set_issuer(options.name);
  v1::GetCrlResponse response;
  const grpc::Status status = (*stub)->GetCrl(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  const absl::Status written = WriteFileAtomically(options.out, response.crl().der());
  if (!written.ok()) return written;
  response.mutable_crl()->clear_der();
  if (context.options().json()) {
    context.out() << ToJson(response.crl());
  } else {
    context.out() << options.out << ": number " << response.crl().number() << ", "
                  << response.crl().entries() << " entries, next update "
                  << TimeText(response.crl().next_update_us()) << '\n';
  }
  return absl::OkStatus();
}

}  // namespace

void AddAuthorityCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("ca", "The issuing CAs.");
  tree.Verb(noun, "status", "Shows the issuing CAs and their CRLs.", "show the issuing CAs",
            [&context] { return ShowStatus(context); });
  auto rotated = std::make_shared<RotateOptions>();
  CLI::App* const rotate =
      tree.Verb(noun, "rotate", "Takes an issuing CA one step through its life.",
                "rotate the issuing CA", [&context, rotated] { return Rotate(context, *rotated); });
  rotate->add_option("name", rotated->name, "Such as services-2")->required();
  rotate
      ->add_option("--step", rotated->step,
                   "introduce (trusted by all), activate (new certificates come from it), retire "
                   "(trusted no more)")
      ->required()
      ->check(CLI::IsMember({"introduce", "activate", "retire"}));
  rotate->add_flag("--force", rotated->force, "Retire it although certificates of it are good");
  auto fetched = std::make_shared<CrlOptions>();
  CLI::App* const crl = tree.Verb(noun, "crl", "Fetches the CRL of an issuing CA.", "fetch the CRL",
                                  [&context, fetched] { return FetchCrl(context, *fetched); });
  crl->add_option("name", fetched->name, "Such as clients-1")->required();
  crl->add_option("--out", fetched->out, "Where to, in DER")->required()->type_name("FILE");
}

}  // namespace postern::ctl
