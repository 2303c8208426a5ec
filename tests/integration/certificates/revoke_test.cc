#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/certificates/authority/folder.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/pki/revocation_list.h"
#include "tests/integration/certificates/authority_fixture.h"
#include "tests/support/eventually.h"

namespace postern::certificates {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RevokeTest : public AuthorityTest {
 protected:
  bool CrlHolds(const std::string& issuer, const std::string& serial) {
    v1::Crl crl;
    if (!GetCrl(issuer, &crl).ok()) return false;
    const auto certificate =
        pki::ParseCertificate(ReadFile(StrCat(ca(), "/issuers/", issuer, ".pem")).value());
    const auto list = pki::RevocationList::Parse(crl.der(), certificate->get());
    EXPECT_TRUE(list.ok()) << list.status();
    EXPECT_EQ(list->number(), crl.number());
    return list->Contains(pki::Serial::FromHex(serial).value());
  }
  std::string Successor(const v1::Certificate& certificate, const std::string& pem) {
    v1::RenewCertificateResponse response;
    const grpc::Status status = Renew(Operator(), pem, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.certificate().renewed_from(), certificate.serial());
    last_ = response;
    return response.certificate().serial();
  }
  std::string PemOf(const std::string& serial) {
    v1::GetCertificateRequest request;
    request.set_serial(serial);
    v1::GetCertificateResponse response;
    EXPECT_TRUE(Operator()->GetCertificate(Call().get(), request, &response).ok());
    return response.pem();
  }
  v1::RenewCertificateResponse last_;
};

TEST_F(RevokeTest, TheCrlHoldsItWithinASecondUnderAHigherNumber) {
  const v1::Certificate certificate = MustIssue("edge", "edge-1");
  v1::Crl before;
  ASSERT_TRUE(GetCrl("services-1", &before).ok());
  const auto revoked = MustRevoke(certificate.serial(), false, v1::REVOCATION_REASON_SUPERSEDED);
  ASSERT_EQ(revoked.revoked_size(), 1);
  EXPECT_EQ(revoked.revoked(0).revocation_reason(), v1::REVOCATION_REASON_SUPERSEDED);
  EXPECT_GT(revoked.revision(), 1);
  ASSERT_TRUE(test::Eventually([&] { return CrlHolds("services-1", certificate.serial()); },
                               std::chrono::seconds(2)));
  v1::Crl after;
  ASSERT_TRUE(GetCrl("services-1", &after).ok());
  EXPECT_GT(after.number(), before.number());
  EXPECT_GT(after.this_update_us(), before.this_update_us());
  EXPECT_EQ(after.entries(), 1);
  EXPECT_EQ(MustRevoke(certificate.serial()).revoked_size(), 0) << "twice changes nothing";
}

TEST_F(RevokeTest, ALineageIsWhatWasRenewedFromIt) {
  const v1::Certificate first = MustIssue("worker", "worker-1");
  const std::string second = Successor(first, PemOf(first.serial()));
  const std::string third = Successor(last_.certificate(), PemOf(second));
  const v1::Certificate other = MustIssue("worker", "worker-1");
  const auto revoked = MustRevoke(second, true);
  std::vector<std::string> serials;
  for (const auto& one : revoked.revoked()) serials.push_back(one.serial());
  EXPECT_THAT(serials, ::testing::UnorderedElementsAre(second, third));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates WHERE revoked_at_us = 0"), 2)
      << "neither the one before nor another line";
}

TEST_F(RevokeTest, ARevokedClientIsTakenFromTheDirectory) {
  CreateClient("acme");
  const v1::Certificate certificate = MustIssue("client", "acme");
  const std::int64_t before = Number("SELECT revision FROM clients WHERE client_id = 'acme'");
  MustRevoke(certificate.serial());
  EXPECT_EQ(Number("SELECT COUNT(*) FROM client_certificates"), 0);
  EXPECT_GT(Number("SELECT revision FROM clients WHERE client_id = 'acme'"), before);
}

TEST_F(RevokeTest, OneThatWasNeverRegisteredNeedsItsIssuer) {
  v1::RevokeCertificateRequest request;
  request.set_serial("abcdef");
  v1::RevokeCertificateResponse response;
  EXPECT_EQ(Operator()->RevokeCertificate(Call().get(), request, &response).error_code(),
            StatusCode::NOT_FOUND);
  request.set_issuer("clients-9");
  EXPECT_EQ(Operator()->RevokeCertificate(Call().get(), request, &response).error_code(),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM revoked_certificates"), 0);
  request.set_issuer("clients-1");
  ASSERT_TRUE(Operator()->RevokeCertificate(Call().get(), request, &response).ok());
  EXPECT_TRUE(test::Eventually([&] { return CrlHolds("clients-1", "abcdef"); }));
}

TEST_F(RevokeTest, ARestoredBackupDoesNotUnrevoke) {
  const v1::Certificate certificate = MustIssue("edge", "edge-1");
  MustRevoke(certificate.serial());
  ASSERT_TRUE(test::Eventually([&] { return CrlHolds("services-1", certificate.serial()); }));
  v1::Crl before;
  ASSERT_TRUE(GetCrl("services-1", &before).ok());
  const std::string file = ca() + "/crl/services-1.crl";
  ASSERT_TRUE(test::Eventually([&] {
    const auto crl = ReadFile(file);
    const auto issuer = pki::ParseCertificate(ReadFile(ca() + "/issuers/services-1.pem").value());
    return pki::RevocationList::Parse(*crl, issuer->get())->number() >= before.number();
  }));
  StopServer();
  // As a backup from before the revocation has it.
  Execute("DELETE FROM revoked_certificates");
  Execute("UPDATE certificates SET revoked_at_us = 0");
  Execute("UPDATE crls SET number = 1, this_update_s = this_update_s - 100");
  StartServer();
  EXPECT_EQ(Number("SELECT COUNT(*) FROM certificates WHERE revoked_at_us <> 0"), 1);
  EXPECT_TRUE(CrlHolds("services-1", certificate.serial()));
  v1::Crl after;
  ASSERT_TRUE(GetCrl("services-1", &after).ok());
  EXPECT_GT(after.number(), before.number()) << "nobody who knows the old one refuses the new one";
}

TEST_F(RevokeTest, ATornCrlOnDiskStopsTheStartAndChangesNothing) {
  StopServer();
  std::string crl = ReadFile(ca() + "/crl/services-1.crl").value();
  ASSERT_TRUE(WriteFileAtomically(ca() + "/crl/services-1.crl", crl.substr(0, 100)).ok());
  auto authorities = Authorities::Open(ca(), folder_ + "/passphrase").value();
  metrics::Registry metrics("test");
  CrlPublisher::Settings settings;
  settings.database = database_;
  CrlPublisher publisher(
      std::move(settings), *authorities, [] {}, metrics);
  auto connection = db::Connection::Open(database_).value();
  const absl::Status started = publisher.Start(*connection);
  EXPECT_FALSE(started.ok());
  EXPECT_THAT(std::string(started.message()), HasSubstr("crl/services-1.crl"));
  EXPECT_THAT(std::string(started.message()), HasSubstr("take it away"));
}

class RotationTest : public AuthorityTest {
 protected:
  grpc::Status Rotate(const std::string& name, v1::RotationStep step, bool force = false) {
    v1::RotateAuthorityRequest request;
    request.set_name(name);
    request.set_step(step);
    request.set_force(force);
    v1::RotateAuthorityResponse response;
    return Operator()->RotateAuthority(Call().get(), request, &response);
  }
  std::vector<std::string> States() {
    v1::ListAuthoritiesResponse response;
    EXPECT_TRUE(
        Operator()->ListAuthorities(Call().get(), v1::ListAuthoritiesRequest(), &response).ok());
    std::vector<std::string> states;
    for (const auto& one : response.authorities()) {
      states.push_back(StrCat(one.name(), " ", static_cast<int>(one.state())));
    }
    return states;
  }
};

TEST_F(RotationTest, ANewIssuingCaIsPhasedInAndTheOldOneOut) {
  const v1::Certificate old = MustIssue("edge", "edge-1");
  EXPECT_THAT(States(), ElementsAre("clients-1 2", "services-1 2"));
  EXPECT_EQ(Rotate("services-2", v1::ROTATION_STEP_ACTIVATE).error_code(), StatusCode::NOT_FOUND)
      << "it must be trusted before it issues";
  const grpc::Status introduced = Rotate("services-2", v1::ROTATION_STEP_INTRODUCE);
  ASSERT_TRUE(introduced.ok()) << introduced.error_message();
  EXPECT_THAT(States(), ElementsAre("clients-1 2", "services-1 2", "services-2 1"));
  EXPECT_EQ(MustIssue("edge", "edge-2").issuer(), "services-1");
  const std::string bundle = ca() + "/services_ca.pem";
  EXPECT_EQ(pki::ParseCertificates(ReadFile(bundle).value())->size(), 2u) << "both are trusted";
  ASSERT_TRUE(Rotate("services-2", v1::ROTATION_STEP_ACTIVATE).ok());
  EXPECT_THAT(States(), ElementsAre("clients-1 2", "services-1 3", "services-2 2"));
  EXPECT_EQ(MustIssue("edge", "edge-3").issuer(), "services-2");

  const grpc::Status early = Rotate("services-1", v1::ROTATION_STEP_RETIRE);
  EXPECT_EQ(early.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(early.error_message(), HasSubstr("2 certificates of services-1 are still good"));
  ASSERT_TRUE(Rotate("services-1", v1::ROTATION_STEP_RETIRE, true).ok());
  // Not asked over gRPC: services-1 is refused from here on, the operator's certificate included.
  EXPECT_EQ(Number("SELECT state FROM certificate_authorities WHERE name = 'services-1'"), 4);
  EXPECT_EQ(pki::ParseCertificates(ReadFile(bundle).value())->size(), 1u);
  EXPECT_TRUE(test::Eventually(
      [&] { return Number("SELECT COUNT(*) FROM crls WHERE issuer = 'services-2'") == 1; }));
}

}  // namespace
}  // namespace postern::certificates
