#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/credentials.h"
#include "services/common/tls/identity.h"
#include "services/server/rpc_server.h"
#include "tests/integration/rpc/raw_call.h"
#include "tests/support/eventually.h"
#include "tests/support/test_certificates.h"
#include "tests/support/tls_client.h"

namespace postern::server {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
// What an HTTP/2 client sends first, with an empty SETTINGS frame.
constexpr std::string_view kHello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);

// A gRPC port whose check refuses one certificate once it is told to.
class RevocationCheckTest : public ::testing::Test {
 protected:
  RevocationCheckTest() {
    fs::copy_file(first_.certificate, files_.certificate);
    fs::copy_file(first_.key, files_.key);
  }
  void SetUp() override {
    const auto check = [this](const tls::CertificateRef& peer) -> absl::Status {
      return IsRefused(peer) ? absl::PermissionDeniedError("revoked") : absl::OkStatus();
    };
    const absl::Status started = server_.Start("127.0.0.1", 0, files_, check, {});
    ASSERT_TRUE(started.ok()) << started;
  }
  void TearDown() override { server_.Shutdown(5s); }

  rpc::ChannelSettings Settings(const tls::Files& files) const {
    rpc::ChannelSettings settings;
    settings.target = StrCat("localhost:", server_.port());
    settings.files = files;
    settings.trust_domain = test::TestCertificates::kTrustDomain;
    return settings;
  }
  static std::string SerialOf(const std::string& pem_path) {
    return tls::CertificateRefOfPem(ReadFile(pem_path).value())->serial_hex;
  }
  bool IsRefused(const tls::CertificateRef& peer) {
    const std::lock_guard lock(mutex_);
    return peer.serial_hex == refused_;
  }
  void SetRefused(const std::string& serial_hex) {
    const std::lock_guard lock(mutex_);
    refused_ = serial_hex;
  }
  static bool Works(const std::shared_ptr<grpc::Channel>& channel) {
    return test::RawCall(channel, kHealthCheck, "").status.ok();
  }
  // What a peer without our code gets: whether the server says hello.
  bool Greets(test::TlsClient& client) {
    return client.connected() && client.Send(kHello) && !client.PeerCloses();
  }
  test::TlsClient::Options Raw(const tls::Files& files) const {
    test::TlsClient::Options options;
    options.port = server_.port();
    options.files = files;
    options.http2 = true;
    options.limit = 2s;
    return options;
  }
  // The serial number of what the server shows now.
  std::string Shown() {
    test::TlsClient client(Raw(operator_));
    X509* const certificate = SSL_get0_peer_certificate(client.ssl());
    return certificate == nullptr ? "" : tls::ReadPeerCertificate(certificate)->ref.serial_hex;
  }

  test::TestCertificates ca_;
  const tls::Files first_ = ca_.Leaf("server", "server-1");
  const tls::Files second_ = ca_.Leaf("server", "server-1");
  const tls::Files operator_ = ca_.Leaf("operator", "alice");
  const tls::Files edge_ = ca_.Leaf("edge", "edge-1");
  const tls::Files files_{ca_.folder() + "/own.pem", ca_.folder() + "/own.key", ca_.ca_file()};
  std::mutex mutex_;
  std::string refused_;  // Serial number.
  metrics::Registry metrics_{"test"};
  RpcServer server_{test::TestCertificates::kTrustDomain, metrics_};
};

TEST_F(RevocationCheckTest, ARefusedPeerIsCutAndKeptOut) {
  const auto refused = rpc::Channel(Settings(edge_)).value();
  const auto other = rpc::Channel(Settings(operator_)).value();
  ASSERT_TRUE(Works(refused));
  ASSERT_TRUE(Works(other));
  SetRefused(SerialOf(edge_.certificate));
  EXPECT_EQ(server_.connections().CutRevoked(
                [this](const tls::CertificateRef& peer) { return IsRefused(peer); }),
            1u);
  EXPECT_TRUE(test::Eventually([&] { return !Works(refused); }));
  // Not the channel's state: in TLS 1.3 a client counts as connected before the server has looked.
  for (int attempt = 0; attempt < 5; ++attempt) EXPECT_FALSE(Works(refused));
  test::TlsClient again(Raw(edge_));
  EXPECT_FALSE(Greets(again));
  EXPECT_TRUE(Works(other));
}

TEST_F(RevocationCheckTest, APeerThatIsRefusedAfterItsHandshakeCannotCall) {
  const auto channel = rpc::Channel(Settings(operator_)).value();
  ASSERT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + 5s));
  SetRefused(SerialOf(operator_.certificate));
  EXPECT_EQ(test::RawCall(channel, kHealthCheck, "").status.error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(RevocationCheckTest, AResumedSessionIsRefusedToo) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SetRefused("");
    auto options = Raw(operator_);
    options.tls_version = version;
    test::TlsClient first(options);
    ASSERT_TRUE(first.connected());
    ASSERT_TRUE(Greets(first));
    options.resume = first.TakeSession();
    ASSERT_NE(options.resume, nullptr);
    {
      test::TlsClient resumed(options);
      ASSERT_TRUE(Greets(resumed));
      EXPECT_EQ(SSL_session_reused(resumed.ssl()), 1) << "gRPC issues tickets";
    }
    SetRefused(SerialOf(operator_.certificate));
    test::TlsClient refused(options);
    EXPECT_FALSE(Greets(refused)) << version;
    SSL_SESSION_free(options.resume);
  }
}

TEST_F(RevocationCheckTest, AChannelRefusesAServer) {
  rpc::ChannelSettings settings = Settings(edge_);
  settings.check = [](const tls::CertificateRef&) {
    return absl::PermissionDeniedError("revoked");
  };
  const auto channel = rpc::Channel(settings).value();
  EXPECT_FALSE(channel->WaitForConnected(std::chrono::system_clock::now() + 1s));
  EXPECT_FALSE(Works(channel));
}

TEST_F(RevocationCheckTest, ANewKeyAndItsCertificateAreTakenTogether) {
  const std::string before = SerialOf(first_.certificate);
  const std::string after = SerialOf(second_.certificate);
  ASSERT_EQ(Shown(), before);
  ASSERT_TRUE(WriteFileAtomically(files_.key, ReadFile(second_.key).value()).ok());
  // Longer than anybody looks at the files: the new key alone is not taken.
  EXPECT_FALSE(test::Eventually([&] { return Shown() != before; }, 2500ms));
  ASSERT_TRUE(WriteFileAtomically(files_.certificate, ReadFile(second_.certificate).value()).ok());
  EXPECT_TRUE(test::Eventually([&] { return Shown() == after; }));
}

}  // namespace
}  // namespace postern::server
