#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/metrics/metrics.h"
#include "services/common/pki/certificate.h"
#include "services/common/trust/trust_state.h"
#include "services/common/trust/trust_watch.h"
#include "tests/integration/certificates/authority_fixture.h"
#include "tests/support/eventually.h"

namespace postern::certificates {
namespace {

// A program that follows the server's trust, as an edge does.
class Follower {
 public:
  Follower(const std::shared_ptr<grpc::Channel>& channel, const std::string& folder,
           bool services_only = false)
      : state_(Settings(folder, services_only), metrics_),
        watch_(channel, services_only, state_, [this] { ++steps; }) {
    state_.Load().IgnoreError();
    watch_.Start();
  }
  ~Follower() { watch_.Stop(); }

  trust::TrustState& state() { return state_; }
  std::string Verdict(const std::string& pem) {
    return std::string(state_.Check(tls::CertificateRefOfPem(pem).value()).message());
  }

  std::atomic<int> steps{0};

 private:
  static trust::TrustState::Settings Settings(const std::string& folder, bool services_only) {
    trust::TrustState::Settings settings;
    settings.file = folder + "/trust.state";
    settings.services_file = folder + "/services.pem";
    if (!services_only) settings.clients_file = folder + "/clients.pem";
    return settings;
  }

  metrics::Registry metrics_{"test"};
  trust::TrustState state_;
  trust::TrustWatch watch_;
};

class TrustTest : public AuthorityTest {
 protected:
  void SetUp() override {
    AuthorityTest::SetUp();
    for (const char* kind : {"services", "clients"}) {
      const std::string pem = ReadFile(StrCat(ca(), "/", kind, "_ca.pem")).value();
      ASSERT_TRUE(WriteFileAtomically(StrCat(folder_, "/", kind, ".pem"), pem).ok());
    }
  }
  std::unique_ptr<Follower> Follow(bool services_only = false) {
    return std::make_unique<Follower>(Channel(edge_), folder_, services_only);
  }
  std::string PemOf(const v1::Certificate& certificate) {
    v1::GetCertificateRequest request;
    request.set_serial(certificate.serial());
    v1::GetCertificateResponse response;
    EXPECT_TRUE(Operator()->GetCertificate(Call().get(), request, &response).ok());
    return response.pem();
  }

  tls::Files edge_;
};

TEST_F(TrustTest, ARevocationReachesWhoeverWatches) {
  edge_ = Leaf("edge", "edge-1");
  const auto follower = Follow();
  const v1::Certificate certificate = MustIssue("worker", "worker-1");
  const std::string pem = PemOf(certificate);
  ASSERT_TRUE(test::Eventually([&] { return follower->Verdict(pem).empty(); }));
  const auto revoked = MustRevoke(certificate.serial());
  ASSERT_TRUE(test::Eventually([&] { return follower->Verdict(pem) == "revoked"; }));
  ASSERT_TRUE(test::Eventually([&] { return follower->state().revision() > revoked.revision(); }))
      << "the CRL follows";
  EXPECT_EQ(follower->Verdict(pem), "revoked");
}

TEST_F(TrustTest, AWatcherThatWasAwayGoesOnFromWhereItWas) {
  edge_ = Leaf("edge", "edge-1");
  const v1::Certificate certificate = MustIssue("worker", "worker-1");
  const std::string pem = PemOf(certificate);
  std::int64_t revision = 0;
  {
    const auto before = Follow();
    ASSERT_TRUE(test::Eventually([&] { return before->state().revision() > 0; }));
    revision = before->state().revision();
  }
  MustRevoke(certificate.serial());
  const auto after = Follow();
  EXPECT_EQ(after->state().revision(), revision) << "as it was kept";
  ASSERT_TRUE(test::Eventually([&] { return after->Verdict(pem) == "revoked"; }));
}

TEST_F(TrustTest, AWatcherGoesOnWhileTheServerIsAwayAndFindsItAgain) {
  edge_ = Leaf("edge", "edge-1");
  const v1::Certificate certificate = MustIssue("worker", "worker-1");
  const std::string pem = PemOf(certificate);
  {
    const auto follower = Follow();
    ASSERT_TRUE(test::Eventually([&] { return follower->Verdict(pem).empty(); }));
    StopServer();
    EXPECT_EQ(follower->Verdict(pem), "");
  }
  StartServer();
  MustRevoke(certificate.serial());
  const auto follower = Follow();
  EXPECT_TRUE(test::Eventually([&] { return follower->Verdict(pem) == "revoked"; }));
}

TEST_F(TrustTest, AChangeByAnotherServerIsFoundToo) {
  edge_ = Leaf("edge", "edge-1");
  const v1::Certificate certificate = MustIssue("worker", "worker-1");
  const std::string pem = PemOf(certificate);
  const auto follower = Follow();
  ASSERT_TRUE(test::Eventually([&] { return follower->Verdict(pem).empty(); }));
  // As another server writes it.
  Execute(StrCat("INSERT INTO revoked_certificates SELECT 'services-1', UNHEX('",
                 certificate.serial(), "'), 1, 1, ", certificate.not_after_us(),
                 ", revision + 1 FROM trust_revision"));
  Execute("UPDATE trust_revision SET revision = revision + 1");
  EXPECT_TRUE(test::Eventually([&] { return follower->Verdict(pem) == "revoked"; }));
}

TEST_F(TrustTest, WhoServesNoClientsHearsOfTheMeshAlone) {
  edge_ = Leaf("worker", "worker-1");
  const auto follower = Follow(/*services_only=*/true);
  CreateClient("acme");
  const v1::Certificate client = MustIssue("client", "acme");
  const v1::Certificate worker = MustIssue("worker", "worker-2");
  MustRevoke(client.serial());
  MustRevoke(worker.serial());
  const std::string worker_pem = PemOf(worker);
  ASSERT_TRUE(test::Eventually([&] { return follower->Verdict(worker_pem) == "revoked"; }));
  EXPECT_EQ(follower->Verdict(PemOf(client)), "unknown_issuer");
}

TEST_F(TrustTest, ANewIssuingCaIsTrustedByWhoeverWatches) {
  edge_ = Leaf("edge", "edge-1");
  const auto follower = Follow();
  ASSERT_TRUE(test::Eventually([&] { return follower->state().revision() > 0; }));
  for (const auto step : {v1::ROTATION_STEP_INTRODUCE, v1::ROTATION_STEP_ACTIVATE}) {
    v1::RotateAuthorityRequest request;
    request.set_name("services-2");
    request.set_step(step);
    v1::RotateAuthorityResponse response;
    ASSERT_TRUE(Operator()->RotateAuthority(Call().get(), request, &response).ok());
  }
  const v1::Certificate certificate = MustIssue("edge", "edge-2");
  ASSERT_EQ(certificate.issuer(), "services-2");
  const std::string pem = PemOf(certificate);
  EXPECT_TRUE(test::Eventually([&] { return follower->Verdict(pem).empty(); }));
  const std::string file = ReadFile(folder_ + "/services.pem").value();
  EXPECT_EQ(pki::ParseCertificates(file)->size(), 2u);
}

}  // namespace
}  // namespace postern::certificates
