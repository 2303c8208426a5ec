#include "services/certificates/certificate_service.h"

#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "services/certificates/issuance.h"
#include "services/certificates/limits.h"
#include "services/certificates/requests.h"
#include "services/certificates/revocation_repository.h"
#include "services/certificates/transaction.h"
#include "services/common/audit/act.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/hash.h"
#include "services/common/crypto/secret.h"
#include "services/common/log/log.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/csr.h"
#include "services/common/rpc/authorization.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/common/rpc/user.h"
#include "services/common/rpc/watch_reactor.h"

namespace postern::certificates {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::string_view kClientProfile = "client";

std::string PeerPem(const grpc::AuthContext& context) {
  const auto values = context.FindPropertyValues("x509_pem_cert");
  return values.empty() ? std::string() : std::string(values[0].data(), values[0].size());
}

// People get certificates of clients: those of the mesh's programs are the operators' to give.
absl::Status CheckProfile(const grpc::CallbackServerContext& context,
                          const authority::Subject& subject) {
  if (!rpc::CalledByPortal(context) || subject.profile->name == kClientProfile) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError("subject.profile: the portal issues only `client`");
}

// Fills what every answer with a new certificate has.
template <typename Response>
absl::Status Fill(const Issued& issued, Response& response) {
  auto certificate = ToProto(issued.stored, NowMicros());
  if (!certificate.ok()) return certificate.status();
  *response.mutable_certificate() = *std::move(certificate);
  response.set_chain_pem(issued.chain_pem);
  log::Info("certificate_issued", "serial", issued.stored.serial.hex(), "profile",
            issued.stored.profile, "name", issued.stored.name, "by", issued.stored.requested_by);
  return absl::OkStatus();
}

absl::StatusOr<authority::State> TargetOf(v1::RotationStep step) {
  switch (step) {
    case v1::ROTATION_STEP_INTRODUCE:
      return authority::State::kIncoming;
    case v1::ROTATION_STEP_ACTIVATE:
      return authority::State::kActive;
    case v1::ROTATION_STEP_RETIRE:
      return authority::State::kRetired;
    default:
      return absl::InvalidArgumentError("step: INTRODUCE, ACTIVATE or RETIRE");
  }
}

// The step and its row of the audit log.
absl::Status Rotate(db::Connection& connection, Authorities& authorities,
                    const authority::IssuerName& name, authority::State to, bool force,
                    const std::string& actor) {
  const auto step = [&]() -> absl::StatusOr<bool> {
    absl::Status status;
    if (to == authority::State::kRetired && !force) {
      const auto valid = CountValid(connection, name.ToString(), NowMicros());
      if (!valid.ok()) return valid.status();
      if (*valid > 0) {
        status = absl::FailedPreconditionError(
            StrCat(*valid, " certificates of ", name.ToString(),
                   " are still good: renew or revoke them first, or force it"));
      }
    }
    if (status.ok()) {
      status = to == authority::State::kIncoming ? authorities.Introduce(connection, name)
                                                 : authorities.Move(connection, name, to);
    }
    if (!status.ok()) return status;
    audit::Act act;
    act.actor = actor;
    act.action = "authority.rotate";
    act.target = StrCat("authority/", name.ToString());
    act.details = {{"state", std::string(StateName(to))}, {"force", force ? "true" : "false"}};
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    return true;
  };
  if (auto done = InTransaction(connection, step); !done.ok()) return done.status();
  return authorities.Sync(connection);
}

}  // namespace

CertificateService::CertificateService(db::Executor& database, Authorities* authorities,
                                       TrustFeed& trust, std::string trust_domain,
                                       std::function<void()> on_changed, metrics::Registry& metrics)
    : database_(database),
      authorities_(authorities),
      trust_(trust),
      trust_domain_(std::move(trust_domain)),
      on_changed_(std::move(on_changed)),
      issued_(metrics.Counter("postern_certificates_issued_total",
                              "Certificates issued, renewals included.")),
      renewed_(metrics.Counter("postern_certificates_renewed_total", "Certificates renewed.")),
      revoked_(metrics.Counter("postern_certificates_revoked_total", "Certificates revoked.")) {}

template <typename Work>
grpc::ServerUnaryReactor* CertificateService::Answer(grpc::CallbackServerContext* context,
                                                     bool needs_ca, Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (needs_ca && authorities_ == nullptr) {
    reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION,
                     "this server holds no CA: its configuration does not set ca.folder"});
    return reactor;
  }
  auto task = [reactor, work = std::move(work)](absl::StatusOr<db::Connection*> connection) {
    reactor->Finish(rpc::ToGrpc(connection.ok() ? work(**connection) : connection.status()));
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(task))) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"});
  }
  return reactor;
}

grpc::ServerUnaryReactor* CertificateService::IssueCertificate(
    grpc::CallbackServerContext* context, const v1::IssueCertificateRequest* request,
    v1::IssueCertificateResponse* response) {
  return Answer(context, true, [this, context, request, response](db::Connection& connection) {
    const auto subject = ReadSubject(request->subject());
    if (!subject.ok()) return subject.status();
    if (absl::Status s = CheckProfile(*context, *subject); !s.ok()) return s;
    const auto source = ReadKeySource(*request, subject->name);
    if (!source.ok()) return source.status();
    const auto issued =
        Issue(connection, *authorities_, *subject, source->key.get(), rpc::ActorName(*context));
    if (!issued.ok()) return issued.status();
    issued_.Increment();
    on_changed_();
    if (source->is_new) {
      const absl::Status handed =
          HandOutKey(request->new_key(), source->key.get(), *issued, *response);
      if (!handed.ok()) return handed;
    }
    return Fill(*issued, *response);
  });
}

grpc::ServerUnaryReactor* CertificateService::CreateEnrolmentToken(
    grpc::CallbackServerContext* context, const v1::CreateEnrolmentTokenRequest* request,
    v1::CreateEnrolmentTokenResponse* response) {
  return Answer(context, true, [context, request, response](db::Connection& connection) {
    auto subject = ReadSubject(request->subject());
    if (!subject.ok()) return subject.status();
    if (absl::Status s = CheckProfile(*context, *subject); !s.ok()) return s;
    const std::int64_t valid_s =
        request->valid_seconds() == 0 ? kTokenSecondsDefault : request->valid_seconds();
    if (valid_s < kTokenSecondsMin || valid_s > kTokenSecondsMax) {
      return absl::InvalidArgumentError(
          StrCat("valid_seconds: ", kTokenSecondsMin, " to ", kTokenSecondsMax));
    }
    std::string text;
    absl::WebSafeBase64Escape(ToAbsl(crypto::Secret::Random(kTokenBytes).view()), &text);
    EnrolmentToken token;
    token.sha256 = crypto::Sha256(text);
    token.subject = *std::move(subject);
    token.created_by = rpc::ActorName(*context);
    token.created_at_us = NowMicros();
    token.expires_at_us = token.created_at_us + valid_s * kMicrosPerSecond;
    if (absl::Status added = AddToken(connection, token); !added.ok()) return added;
    response->set_token(text);
    response->set_expires_at_us(token.expires_at_us);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CertificateService::EnrolCertificate(
    grpc::CallbackServerContext* context, const v1::EnrolCertificateRequest* request,
    v1::EnrolCertificateResponse* response) {
  return Answer(context, true, [this, context, request, response](db::Connection& connection) {
    const auto csr = pki::ParseCsr(request->csr());
    if (!csr.ok()) return csr.status();
    const auto issued =
        Enrol(connection, *authorities_, crypto::Sha256(request->token()), csr->public_key.get(),
              csr->common_name, rpc::PeerName(*context->auth_context()));
    if (!issued.ok()) return issued.status();
    issued_.Increment();
    on_changed_();
    return Fill(*issued, *response);
  });
}

grpc::ServerUnaryReactor* CertificateService::RenewCertificate(
    grpc::CallbackServerContext* context, const v1::RenewCertificateRequest* request,
    v1::RenewCertificateResponse* response) {
  return Answer(context, true, [this, context, request, response](db::Connection& connection) {
    const auto caller = rpc::PeerId(*context->auth_context(), trust_domain_);
    if (!caller.ok()) return caller.status();
    const auto current = ReadCurrent(connection, *request, PeerPem(*context->auth_context()));
    if (!current.ok()) return current.status();
    const auto csr = pki::ParseCsr(request->csr());
    if (!csr.ok()) return csr.status();
    const auto issued = Renew(connection, *authorities_, current->get(), *caller,
                              csr->public_key.get(), csr->common_name);
    if (!issued.ok()) return issued.status();
    issued_.Increment();
    renewed_.Increment();
    on_changed_();
    return Fill(*issued, *response);
  });
}

grpc::ServerUnaryReactor* CertificateService::RevokeCertificate(
    grpc::CallbackServerContext* context, const v1::RevokeCertificateRequest* request,
    v1::RevokeCertificateResponse* response) {
  return Answer(context, true, [this, context, request, response](db::Connection& connection) {
    const auto order = ReadRevokeOrder(*request);
    if (!order.ok()) return order.status();
    auto revoked = Revoke(connection, *authorities_, *order, rpc::ActorName(*context));
    if (!revoked.ok()) return revoked.status();
    on_changed_();
    revoked_.Increment(static_cast<double>(revoked->certificates.size()));
    log::Info("certificate_revoked", "serial", order->serial.hex(), "reason", order->reason,
              "revoked", revoked->certificates.size());
    for (v1::Certificate& one : revoked->certificates) *response->add_revoked() = std::move(one);
    response->set_revision(revoked->revision);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CertificateService::GetCertificate(
    grpc::CallbackServerContext* context, const v1::GetCertificateRequest* request,
    v1::GetCertificateResponse* response) {
  return Answer(context, false, [request, response](db::Connection& connection) {
    absl::StatusOr<std::optional<StoredCertificate>> found;
    if (!request->sha256().empty()) {
      const auto hex = NormalizeSha256Hex(request->sha256());
      if (!hex.ok()) return absl::InvalidArgumentError("sha256: 64 hexadecimal digits");
      found = FindBySha256(connection, *HexDecode(*hex));
    } else {
      const auto serial = pki::Serial::FromHex(request->serial());
      if (!serial.ok()) return serial.status();
      found = FindBySerial(connection, *serial);
    }
    if (!found.ok()) return found.status();
    if (!*found) return absl::NotFoundError("no such certificate is registered");
    auto certificate = ToProto(**found, NowMicros());
    const auto parsed = pki::ParseCertificate((*found)->der);
    if (!certificate.ok()) return certificate.status();
    *response->mutable_certificate() = *std::move(certificate);
    response->set_pem(pki::CertificatePem(parsed->get()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CertificateService::ListCertificates(
    grpc::CallbackServerContext* context, const v1::ListCertificatesRequest* request,
    v1::ListCertificatesResponse* response) {
  return Answer(context, false, [request, response](db::Connection& connection) {
    const std::int64_t now_us = NowMicros();
    const auto page = ReadPage(*request, now_us);
    if (!page.ok()) return page.status();
    // One more than asked for tells whether there is a next page.
    auto found = SelectPage(connection, page->filter, now_us, page->size + 1);
    if (!found.ok()) return found.status();
    const bool more = found->size() > static_cast<std::size_t>(page->size);
    if (more) found->pop_back();
    for (const StoredCertificate& stored : *found) {
      auto certificate = ToProto(stored, now_us);
      if (!certificate.ok()) return certificate.status();
      *response->add_certificates() = *std::move(certificate);
    }
    if (more) response->set_next_page_token(PageTokenAfter(found->back()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CertificateService::GetCrl(grpc::CallbackServerContext* context,
                                                     const v1::GetCrlRequest* request,
                                                     v1::GetCrlResponse* response) {
  return Answer(context, false, [request, response](db::Connection& connection) {
    const auto crl = FindCrl(connection, request->issuer(), true);
    if (!crl.ok()) return crl.status();
    if (!*crl) return absl::NotFoundError("no issuing CA of that name has a CRL");
    *response->mutable_crl() = ToProto(**crl);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::WatchTrustResponse>* CertificateService::WatchTrust(
    grpc::CallbackServerContext* /*context*/, const v1::WatchTrustRequest* request) {
  return rpc::WatchReactor<v1::WatchTrustResponse, TrustFeed, TrustCursor>::Begin(
      trust_, trust_.CursorAfter(request->after_revision(), request->services_only()));
}

grpc::ServerUnaryReactor* CertificateService::ListAuthorities(
    grpc::CallbackServerContext* context, const v1::ListAuthoritiesRequest* /*request*/,
    v1::ListAuthoritiesResponse* response) {
  return Answer(context, true, [this, response](db::Connection& connection) {
    if (absl::Status synced = authorities_->Sync(connection); !synced.ok()) return synced;
    for (const Authorities::Known& known : authorities_->known()) {
      auto described = DescribeAuthority(connection, *authorities_, known);
      if (!described.ok()) return described.status();
      *response->add_authorities() = *std::move(described);
    }
    const auto root = authorities_->folder().ReadRootCertificate();
    if (!root.ok()) return root.status();
    response->set_root_pem(pki::CertificatePem(root->get()));
    const auto revision = ReadTrustRevision(connection);
    if (!revision.ok()) return revision.status();
    response->set_revision(*revision);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CertificateService::RotateAuthority(
    grpc::CallbackServerContext* context, const v1::RotateAuthorityRequest* request,
    v1::RotateAuthorityResponse* response) {
  return Answer(context, true, [this, context, request, response](db::Connection& connection) {
    const auto name = authority::IssuerName::Parse(request->name());
    if (!name.ok()) return name.status();
    const auto to = TargetOf(request->step());
    if (!to.ok()) return to.status();
    const absl::Status rotated =
        Rotate(connection, *authorities_, *name, *to, request->force(), rpc::ActorName(*context));
    if (!rotated.ok()) return rotated;
    log::Info("authority_rotated", "name", request->name(), "state", StateName(*to));
    on_changed_();
    for (const Authorities::Known& known : authorities_->known()) {
      if (known.name.starts_with(authority::KindName(name->kind))) {
        auto described = DescribeAuthority(connection, *authorities_, known);
        if (!described.ok()) return described.status();
        *response->add_authorities() = *std::move(described);
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace postern::certificates
