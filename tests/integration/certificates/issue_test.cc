#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pkcs12.h>

#include <string>
#include <vector>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "tests/integration/certificates/authority_fixture.h"

namespace postern::certificates {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using IssueTest = AuthorityTest;

TEST_F(IssueTest, FromARequestTheProfileDecidesEverythingButTheKey) {
  auto request = IssueRequest("edge", "edge-1");
  request.mutable_subject()->add_hosts("edge.example.org");
  v1::IssueCertificateResponse response;
  const grpc::Status status = Issue(Operator(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Certificate& certificate = response.certificate();
  EXPECT_EQ(certificate.spiffe_id(), "spiffe://example.org/edge/edge-1");
  EXPECT_EQ(certificate.issuer(), "services-1");
  EXPECT_EQ(certificate.requested_by(), "operator/alice");
  EXPECT_EQ(certificate.lineage(), certificate.serial());
  EXPECT_EQ(certificate.state(), v1::CERTIFICATE_STATE_VALID);
  EXPECT_TRUE(response.key_pem().empty());
  const auto chain = pki::ParseCertificates(response.chain_pem());
  ASSERT_TRUE(chain.ok());
  ASSERT_EQ(chain->size(), 2u);
  EXPECT_TRUE(pki::IsIssuedBy((*chain)[0].get(), (*chain)[1].get()));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates"), 1);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM audit_log WHERE action = 'certificate.issue'"), 1);
}

TEST_F(IssueTest, AClientsFingerprintIsRegisteredWithIt) {
  v1::IssueCertificateResponse response;
  const grpc::Status unknown = Issue(Operator(), IssueRequest("client", "acme"), &response);
  EXPECT_EQ(unknown.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(unknown.error_message(), HasSubstr("posternctl client create acme"));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates"), 0) << "nothing stays of a failure";

  CreateClient("acme");
  const std::int64_t before = Number("SELECT revision FROM directory_revision");
  const v1::Certificate certificate = MustIssue("client", "acme");
  EXPECT_EQ(Number(StrCat("SELECT COUNT(*) FROM client_certificates WHERE client_id = 'acme' AND "
                          "sha256 = UNHEX('",
                          certificate.sha256(), "')")),
            1);
  EXPECT_GT(Number("SELECT revision FROM clients WHERE client_id = 'acme'"), before)
      << "edges learn of it";
}

TEST_F(IssueTest, ANewKeyIsHandedOutOnce) {
  auto request = IssueRequest("operator", "bob");
  request.mutable_new_key()->set_format(v1::KEY_FORMAT_PEM);
  v1::IssueCertificateResponse response;
  ASSERT_TRUE(Issue(Operator(), request, &response).ok());
  const auto key = pki::ParsePrivateKey("key", response.key_pem(), "");
  const auto leaf = pki::ParseCertificate(response.chain_pem());
  ASSERT_TRUE(key.ok() && leaf.ok());
  EXPECT_TRUE(pki::SamePublicKey(key->get(), X509_get0_pubkey(leaf->get())));

  request.mutable_new_key()->set_format(v1::KEY_FORMAT_PKCS12);
  request.mutable_new_key()->set_password("short");
  EXPECT_EQ(Issue(Operator(), request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  request.mutable_new_key()->set_password("long enough");
  ASSERT_TRUE(Issue(Operator(), request, &response).ok());
  const auto* der = reinterpret_cast<const unsigned char*>(response.pkcs12().data());
  const std::unique_ptr<PKCS12, crypto::OpenSslFree<&PKCS12_free>> file(
      d2i_PKCS12(nullptr, &der, static_cast<long>(response.pkcs12().size())));
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(PKCS12_verify_mac(file.get(), "wrong", -1), 0);
  EXPECT_EQ(PKCS12_verify_mac(file.get(), "long enough", -1), 1);
}

TEST_F(IssueTest, ABadRequestSaysWhyAndChangesNothing) {
  const auto key = pki::GenerateKey(pki::KeyKind::kEcP256);
  const std::string good = pki::MakeCsr(key.get(), "edge-1");
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"hello", "neither PEM nor DER"},
      {std::string(20'000, 'x'), "are the most"},
      {good.substr(0, 100), "no whole PEM block"},
      {pki::MakeCsr(key.get(), "edge-2"), "names edge-2"},
      {pki::MakeCsr(crypto::KeyPtr(EVP_RSA_gen(1024)).get(), "edge-1"), "1024 bits"},
  };
  for (const auto& [csr, reason] : cases) {
    auto request = IssueRequest("edge", "edge-1");
    request.set_csr(csr);
    v1::IssueCertificateResponse response;
    const grpc::Status status = Issue(Operator(), request, &response);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << reason;
    EXPECT_THAT(status.error_message(), HasSubstr(reason));
  }
  auto request = IssueRequest("king", "edge-1");
  v1::IssueCertificateResponse response;
  EXPECT_EQ(Issue(Operator(), request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates"), 0);
}

TEST_F(IssueTest, AKeyServesOneNameOnly) {
  const auto key = pki::GenerateKey(pki::KeyKind::kEcP256);
  auto request = IssueRequest("worker", "worker-1");
  request.set_csr(pki::MakeCsr(key.get(), ""));
  v1::IssueCertificateResponse response;
  ASSERT_TRUE(Issue(Operator(), request, &response).ok());
  ASSERT_TRUE(Issue(Operator(), request, &response).ok()) << "its own name may have it again";
  request.mutable_subject()->set_name("worker-2");
  EXPECT_EQ(Issue(Operator(), request, &response).error_code(), StatusCode::FAILED_PRECONDITION);

  MustRevoke(response.certificate().serial(), false, v1::REVOCATION_REASON_KEY_COMPROMISE);
  request.mutable_subject()->set_name("worker-1");
  const grpc::Status compromised = Issue(Operator(), request, &response);
  EXPECT_THAT(compromised.error_message(), HasSubstr("compromised"));
}

class EnrolTest : public AuthorityTest {
 protected:
  std::string Token(const std::string& profile, const std::string& name) {
    v1::CreateEnrolmentTokenRequest request;
    request.mutable_subject()->set_profile(profile);
    request.mutable_subject()->set_name(name);
    v1::CreateEnrolmentTokenResponse response;
    const grpc::Status status = Operator()->CreateEnrolmentToken(Call().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.token();
  }
  grpc::Status Enrol(const std::string& token, const std::string& name) {
    v1::EnrolCertificateRequest request;
    request.set_token(token);
    request.set_csr(pki::MakeCsr(pki::GenerateKey(pki::KeyKind::kEcP256).get(), name));
    v1::EnrolCertificateResponse response;
    return Operator()->EnrolCertificate(Call().get(), request, &response);
  }
};

TEST_F(EnrolTest, ATokenIsGoodForOneCertificateOfItsName) {
  const std::string token = Token("worker", "worker-7");
  EXPECT_EQ(token.size(), 43u);
  EXPECT_EQ(Number(StrCat("SELECT COUNT(*) FROM enrolment_tokens WHERE HEX(token_sha256) LIKE '%",
                          token.substr(0, 10), "%'")),
            0)
      << "only its hash is kept";

  const grpc::Status other = Enrol(token, "worker-8");
  EXPECT_EQ(other.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(other.error_message(), HasSubstr("another name"));
  const grpc::Status first = Enrol(token, "worker-7");
  EXPECT_TRUE(first.ok()) << first.error_message() << ": the refusal did not use it up";
  const grpc::Status second = Enrol(token, "worker-7");
  EXPECT_EQ(second.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(second.error_message(), HasSubstr("was used at"));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates WHERE requested_by = 'enrolment'"), 1);
}

TEST_F(EnrolTest, AnUnknownOrExpiredTokenIsRefused) {
  EXPECT_THAT(Enrol("nonsense", "worker-7").error_message(), HasSubstr("not known"));
  const std::string token = Token("worker", "worker-7");
  Execute("UPDATE enrolment_tokens SET expires_at_us = 1");
  const grpc::Status expired = Enrol(token, "worker-7");
  EXPECT_EQ(expired.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(expired.error_message(), HasSubstr("expired at"));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates"), 0);
}

TEST_F(EnrolTest, ABadRequestDoesNotUseTheTokenUp) {
  const std::string token = Token("worker", "worker-7");
  v1::EnrolCertificateRequest request;
  request.set_token(token);
  request.set_csr("hello");
  v1::EnrolCertificateResponse response;
  EXPECT_EQ(Operator()->EnrolCertificate(Call().get(), request, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Enrol(token, "worker-7").ok());
}

class RenewTest : public AuthorityTest {};

TEST_F(RenewTest, AComponentRenewsItsOwnCertificateThoughItWasIssuedByHand) {
  const tls::Files worker = Leaf("worker", "worker-1", 7200);
  v1::RenewCertificateResponse response;
  const grpc::Status status = Renew(Caller(worker), "", &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto old =
      pki::Describe(pki::ParseCertificate(ReadFile(worker.certificate).value())->get()).value();
  const v1::Certificate& next = response.certificate();
  EXPECT_EQ(next.renewed_from(), old.serial.hex());
  EXPECT_EQ(next.lineage(), old.serial.hex());
  EXPECT_EQ(next.spiffe_id(), "spiffe://example.org/worker/worker-1");
  EXPECT_EQ(next.requested_by(), "worker/worker-1");
  const std::int64_t life_s = (next.not_after_us() - next.not_before_us()) / 1'000'000;
  EXPECT_EQ(life_s, 7200 + 60) << "it lives as long as the one before";
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates"), 2);
}

TEST_F(RenewTest, NobodyRenewsWhatIsNotTheirs) {
  const std::string edge = ReadFile(Leaf("edge", "edge-1").certificate).value();
  const std::string client = ReadFile(Leaf("client", "acme").certificate).value();
  CreateClient("acme");
  v1::RenewCertificateResponse response;
  EXPECT_EQ(Renew(Caller(Leaf("worker", "worker-1")), edge, &response).error_code(),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Renew(Caller(Leaf("worker", "worker-1")), client, &response).error_code(),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Renew(Caller(Leaf("edge", "edge-2")), edge, &response).error_code(),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates"), 0);
  const grpc::Status for_client = Renew(Caller(Leaf("edge", "edge-2")), client, &response);
  EXPECT_TRUE(for_client.ok()) << "an edge renews for a client: " << for_client.error_message();
  EXPECT_EQ(response.certificate().profile(), "client");
  EXPECT_TRUE(Renew(Operator(), edge, &response).ok());
}

TEST_F(RenewTest, AnEdgeNamesAClientsCertificateByItsHash) {
  CreateClient("acme");
  v1::Certificate current = MustIssue("client", "acme");
  const Stub edge = Caller(Leaf("edge", "edge-1"));
  v1::RenewCertificateResponse response;
  EXPECT_TRUE(RenewByHash(edge, current.sha256(), &response).ok());
  EXPECT_EQ(response.certificate().renewed_from(), current.serial());
  const grpc::Status unknown = RenewByHash(edge, std::string(64, 'a'), &response);
  EXPECT_EQ(unknown.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(RenewByHash(edge, "zz", &response).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(RenewTest, ALineOfAClientHasSoManyGoodCertificatesAndNoMore) {
  CreateClient("acme");
  const v1::Certificate first = MustIssue("client", "acme");
  const Stub edge = Caller(Leaf("edge", "edge-1"));
  v1::RenewCertificateResponse response;
  for (int more = 1; more < 16; ++more) {
    const grpc::Status renewed = RenewByHash(edge, first.sha256(), &response);
    ASSERT_TRUE(renewed.ok()) << renewed.error_message();
  }
  const grpc::Status full = RenewByHash(edge, first.sha256(), &response);
  EXPECT_EQ(full.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(full.error_message(), HasSubstr("16 certificates of this line are good"));
  MustRevoke(response.certificate().serial());
  EXPECT_TRUE(RenewByHash(edge, first.sha256(), &response).ok());
}

TEST_F(RenewTest, AnEdgeRenewsWhatItShowsToClients) {
  const std::string listen = ReadFile(Leaf("listen", "edge-1").certificate).value();
  v1::RenewCertificateResponse response;
  const grpc::Status status = Renew(Caller(Leaf("edge", "edge-1")), listen, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.certificate().profile(), "listen");
}

TEST_F(RenewTest, WhatIsRevokedOrForeignIsNotRenewed) {
  const tls::Files worker = Leaf("worker", "worker-1");
  v1::RenewCertificateResponse response;
  ASSERT_TRUE(Renew(Caller(worker), "", &response).ok());
  MustRevoke(response.certificate().renewed_from());
  const grpc::Status revoked = Renew(Caller(worker), "", &response);
  EXPECT_EQ(revoked.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(revoked.error_message(), HasSubstr("is revoked"));

  const std::string root = ReadFile(ca() + "/root_ca.pem").value();
  EXPECT_EQ(Renew(Operator(), root, &response).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Renew(Operator(), "nonsense", &response).error_code(), StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace postern::certificates
