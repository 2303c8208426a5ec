#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/certificates/authorities.h"
#include "services/certificates/certificate_service.h"
#include "services/certificates/crl_publisher.h"
#include "services/common/db/connection.h"
#include "services/common/db/executor.h"
#include "services/common/tls/settings.h"

namespace postern::certificates {

inline constexpr char kTrustDomain[] = "example.org";

// A main server's certificate authority behind a gRPC port with mutual TLS, on a schema and a CA
// folder of the test's own.
class AuthorityTest : public ::testing::Test {
 protected:
  using Stub = std::unique_ptr<v1::CertificateService::Stub>;

  AuthorityTest();
  ~AuthorityTest() override;
  void SetUp() override;

  // Starts and ends what a process of the main server would hold.
  void StartServer();
  void StopServer();

  // A leaf of the folder's CA, not registered; its files.
  tls::Files Leaf(const std::string& profile, const std::string& name, int life_s = 3600);
  // To the server, showing the leaf.
  std::shared_ptr<grpc::Channel> Channel(const tls::Files& files);
  // A stub that shows the leaf.
  Stub Caller(const tls::Files& files);
  Stub Operator() { return Caller(operator_); }

  // Requests with the usual fields.
  static v1::IssueCertificateRequest IssueRequest(const std::string& profile,
                                                  const std::string& name);
  // OK, or the status of the call.
  static grpc::Status Issue(const Stub& stub, const v1::IssueCertificateRequest& request,
                            v1::IssueCertificateResponse* response);
  v1::Certificate MustIssue(const std::string& profile, const std::string& name);
  grpc::Status Renew(const Stub& stub, const std::string& certificate_pem,
                     v1::RenewCertificateResponse* response);
  grpc::Status RenewByHash(const Stub& stub, const std::string& sha256_hex,
                           v1::RenewCertificateResponse* response);
  v1::RevokeCertificateResponse MustRevoke(const std::string& serial, bool lineage = false,
                                           int reason = 0);
  grpc::Status GetCrl(const std::string& issuer, v1::Crl* crl);

  void Execute(const std::string& sql);
  std::int64_t Number(const std::string& sql);
  void CreateClient(const std::string& id);
  std::string ca() const { return folder_ + "/ca"; }

  std::string folder_;
  db::Settings database_;
  tls::Files operator_;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
  int leaves_ = 0;
};

// A context whose deadline has not been forgotten.
std::unique_ptr<grpc::ClientContext> Call();

}  // namespace postern::certificates
