#include "services/common/trust/renewer.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "services/certificates/authority/profile.h"
#include "services/common/pki/csr.h"
#include "services/common/tls/key_pair.h"
#include "tests/unit/common/trust/trust_fixture.h"

namespace postern::trust {
namespace {

using ::testing::HasSubstr;

// A CA behind the interface, in this process.
class RenewingServer final : public v1::CertificateService::CallbackService {
 public:
  explicit RenewingServer(const authority::Issuer& issuer) : issuer_(&issuer) {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    stub_ = v1::CertificateService::NewStub(server_->InProcessChannel({}));
  }
  ~RenewingServer() override { server_->Shutdown(); }

  grpc::ServerUnaryReactor* RenewCertificate(grpc::CallbackServerContext* context,
                                             const v1::RenewCertificateRequest* request,
                                             v1::RenewCertificateResponse* response) override {
    ++calls;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (away) {
      reactor->Finish({grpc::StatusCode::UNAVAILABLE, "away"});
      return reactor;
    }
    const auto csr = pki::ParseCsr(request->csr()).value();
    const auto subject =
        authority::MakeSubject("worker", name, {}, std::chrono::seconds(60)).value();
    const auto leaf =
        issuer_->Sign(subject, csr.public_key.get(), pki::Serial::Random(), NowMicros() / 1'000'000)
            .value();
    response->set_chain_pem(pki::CertificatePem(leaf.get()) +
                            pki::CertificatePem(issuer_->certificate()));
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  v1::CertificateService::Stub& stub() { return *stub_; }
  void UseIssuer(const authority::Issuer& issuer) { issuer_ = &issuer; }

  int calls = 0;
  bool away = false;
  std::string name = "worker-1";

 private:
  const authority::Issuer* issuer_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::CertificateService::Stub> stub_;
};

class RenewerTest : public TrustTest {
 protected:
  RenewerTest() {
    const auto subject =
        authority::MakeSubject("worker", "worker-1", {}, std::chrono::seconds(60)).value();
    const auto key = pki::GenerateKey(pki::KeyKind::kEcP256);
    const auto leaf = services_.Sign(subject, key.get(), serial_, Now()).value();
    EXPECT_TRUE(WriteFileAtomically(files_.certificate, pki::CertificatePem(leaf.get())).ok());
    EXPECT_TRUE(WriteFileAtomically(files_.key, pki::PrivateKeyPem(key.get(), "").view()).ok());
    state_.Load().IgnoreError();
  }
  pki::Serial SerialNow() {
    const auto leaf = pki::ParseCertificate(ReadFile(files_.certificate).value()).value();
    return pki::Describe(leaf.get())->serial;
  }

  const tls::Files files_{folder_ + "/own.pem", folder_ + "/own.key", settings_.services_file};
  TrustState state_{settings_, metrics_};
  RenewingServer server_{services_};
  Renewer renewer_{"mesh", files_, server_.stub(), state_, metrics_};
};

TEST(RenewalTimeTest, IsAtTwoThirdsOfTheLifeLessAJitter) {
  EXPECT_EQ(RenewalTime(1000, 61'000, 0), 41'000);
  EXPECT_EQ(RenewalTime(1000, 61'000, 1), 38'000);
  EXPECT_EQ(RetrySeconds(0, 7 * 24 * 3600), 60);
  EXPECT_EQ(RetrySeconds(0, 60), 2);
  EXPECT_EQ(RetrySeconds(0, 10), 1);
}

TEST_F(RenewerTest, RenewsWithANewKeyWhenItIsTime) {
  const std::string key = ReadFile(files_.key).value();
  renewer_.Look(Now());
  EXPECT_EQ(server_.calls, 0);
  renewer_.Look(Now() + 41);
  EXPECT_EQ(server_.calls, 1);
  EXPECT_NE(SerialNow(), serial_);
  EXPECT_NE(ReadFile(files_.key).value(), key);
  EXPECT_TRUE(tls::ReadKeyPair(files_).ok());
  EXPECT_EQ(renewer_.Check().state, http::Check::State::kPass);
  renewer_.Look(Now() + 1);
  EXPECT_EQ(server_.calls, 1) << "the new one is young";
}

TEST_F(RenewerTest, TriesAgainAfterAFailureAndSaysWhy) {
  server_.away = true;
  renewer_.Look(Now() + 41);
  EXPECT_EQ(SerialNow(), serial_);
  EXPECT_EQ(renewer_.Check().state, http::Check::State::kWarn);
  EXPECT_THAT(renewer_.Check().detail, HasSubstr("away"));
  renewer_.Look(Now() + 42);
  EXPECT_EQ(server_.calls, 1) << "not before the pause is over";
  server_.away = false;
  renewer_.Look(Now() + 43);
  EXPECT_EQ(server_.calls, 2);
  EXPECT_NE(SerialNow(), serial_);
  EXPECT_EQ(renewer_.Check().state, http::Check::State::kPass);
}

TEST_F(RenewerTest, DoesNotTakeAnAnswerThatPeersWouldRefuse) {
  const authority::Issuer foreign = MakeCa("services-1");
  server_.UseIssuer(foreign);
  renewer_.Look(Now() + 41);
  EXPECT_THAT(renewer_.Check().detail, HasSubstr("of no CA that is trusted here"));
  server_.UseIssuer(services_);
  server_.name = "worker-2";
  renewer_.Look(Now() + 44);
  EXPECT_THAT(renewer_.Check().detail, HasSubstr("for another name"));
  EXPECT_EQ(SerialNow(), serial_);
  EXPECT_TRUE(tls::ReadKeyPair(files_).ok());
}

TEST_F(RenewerTest, AnEndedCertificateIsForEnrolment) {
  renewer_.Look(Now() + 61);
  EXPECT_EQ(server_.calls, 0);
  EXPECT_THAT(renewer_.Check().detail, HasSubstr("postern-certs issue"));
  const auto subject =
      authority::MakeSubject("worker", "worker-1", {}, std::chrono::seconds(600)).value();
  const auto key = pki::GenerateKey(pki::KeyKind::kEcP256);
  const auto leaf = services_.Sign(subject, key.get(), other_, Now()).value();
  ASSERT_TRUE(WriteFileAtomically(files_.key, pki::PrivateKeyPem(key.get(), "").view()).ok());
  ASSERT_TRUE(WriteFileAtomically(files_.certificate, pki::CertificatePem(leaf.get())).ok());
  renewer_.Look(Now() + 62);
  EXPECT_EQ(renewer_.Check().state, http::Check::State::kPass);
  EXPECT_EQ(server_.calls, 0);
}

}  // namespace
}  // namespace postern::trust
