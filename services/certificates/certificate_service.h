#pragma once

#include <functional>
#include <string>
#include <utility>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/certificates/authorities.h"
#include "services/certificates/trust_feed.h"
#include "services/common/db/executor.h"
#include "services/common/metrics/metrics.h"

namespace postern::certificates {

// gRPC adapter of the certificate authority. Thread-safe.
class CertificateService final : public v1::CertificateService::CallbackService {
 public:
  // `authorities` is null on a server that holds no CA. `on_changed` is called after each change of
  // who is trusted; it must not block. All must outlive the server that this is registered with.
  CertificateService(db::Executor& database, Authorities* authorities, TrustFeed& trust,
                     std::string trust_domain, std::function<void()> on_changed,
                     metrics::Registry& metrics);

  grpc::ServerUnaryReactor* IssueCertificate(grpc::CallbackServerContext* context,
                                             const v1::IssueCertificateRequest* request,
                                             v1::IssueCertificateResponse* response) override;
  grpc::ServerUnaryReactor* CreateEnrolmentToken(
      grpc::CallbackServerContext* context, const v1::CreateEnrolmentTokenRequest* request,
      v1::CreateEnrolmentTokenResponse* response) override;
  grpc::ServerUnaryReactor* EnrolCertificate(grpc::CallbackServerContext* context,
                                             const v1::EnrolCertificateRequest* request,
                                             v1::EnrolCertificateResponse* response) override;
  grpc::ServerUnaryReactor* RenewCertificate(grpc::CallbackServerContext* context,
                                             const v1::RenewCertificateRequest* request,
                                             v1::RenewCertificateResponse* response) override;
  grpc::ServerUnaryReactor* RevokeCertificate(grpc::CallbackServerContext* context,
                                              const v1::RevokeCertificateRequest* request,
                                              v1::RevokeCertificateResponse* response) override;
  grpc::ServerUnaryReactor* GetCertificate(grpc::CallbackServerContext* context,
                                           const v1::GetCertificateRequest* request,
                                           v1::GetCertificateResponse* response) override;
  grpc::ServerUnaryReactor* ListCertificates(grpc::CallbackServerContext* context,
                                             const v1::ListCertificatesRequest* request,
                                             v1::ListCertificatesResponse* response) override;
  grpc::ServerUnaryReactor* GetCrl(grpc::CallbackServerContext* context,
                                   const v1::GetCrlRequest* request,
                                   v1::GetCrlResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchTrustResponse>* WatchTrust(
      grpc::CallbackServerContext* context, const v1::WatchTrustRequest* request) override;
  grpc::ServerUnaryReactor* ListAuthorities(grpc::CallbackServerContext* context,
                                            const v1::ListAuthoritiesRequest* request,
                                            v1::ListAuthoritiesResponse* response) override;
  grpc::ServerUnaryReactor* RotateAuthority(grpc::CallbackServerContext* context,
                                            const v1::RotateAuthorityRequest* request,
                                            v1::RotateAuthorityResponse* response) override;

 private:
  // Runs `work`, which gives a status, with a database connection, and answers it.
  template <typename Work>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, bool needs_ca, Work work);

  db::Executor& database_;
  Authorities* const authorities_;
  TrustFeed& trust_;
  const std::string trust_domain_;
  const std::function<void()> on_changed_;
  prometheus::Counter& issued_;
  prometheus::Counter& renewed_;
  prometheus::Counter& revoked_;
};

}  // namespace postern::certificates
