#include "services/server/rpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

#include "postern/v1/key_service.grpc.pb.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/credentials.h"
#include "services/common/tls/identity.h"
#include "tests/integration/rpc/raw_call.h"
#include "tests/support/eventually.h"
#include "tests/support/test_certificates.h"

namespace postern::server {
namespace {

using namespace std::chrono_literals;
using grpc::StatusCode;
using ::testing::HasSubstr;

constexpr char kCreateKey[] = "/postern.v1.KeyService/CreateDataKey";
constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
constexpr char kListServices[] = "\x3a\x00";  // Field 7, an empty string.
constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";

class CountingKeyService final : public v1::KeyService::CallbackService {
 public:
  grpc::ServerUnaryReactor* CreateDataKey(grpc::CallbackServerContext* context,
                                          const v1::CreateDataKeyRequest*,
                                          v1::CreateDataKeyResponse* response) override {
    ++calls;
    response->set_max_age_seconds(42);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::atomic<int> calls{0};
};

class RpcServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::channelz::experimental::InitChannelzService();
  }

  void Start(const tls::Files& files) {
    const absl::Status started = server_.Start("127.0.0.1", 0, files, nullptr, {&keys_});
    ASSERT_TRUE(started.ok()) << started;
    server_.SetServing(true);
  }
  void SetUp() override { Start(services_ca_.Leaf("server", "server-1")); }
  void TearDown() override { server_.Shutdown(5s); }

  std::string Target() const { return StrCat("localhost:", server_.port()); }

  std::shared_ptr<grpc::Channel> ChannelOf(const tls::Files& files) const {
    rpc::ChannelSettings settings;
    settings.target = Target();
    settings.files = files;
    settings.trust_domain = test::TestCertificates::kTrustDomain;
    auto channel = rpc::Channel(settings);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }
  std::shared_ptr<grpc::Channel> ChannelAs(const std::string& role) {
    return ChannelOf(services_ca_.Leaf(role, role + "-1"));
  }
  // Without the checks that our own channels make first.
  std::shared_ptr<grpc::Channel> PlainTlsChannel(const std::string& certificate,
                                                 const std::string& key) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = *ReadFile(services_ca_.ca_file());
    if (!certificate.empty()) options.pem_cert_chain = *ReadFile(certificate);
    if (!key.empty()) options.pem_private_key = *ReadFile(key);
    return grpc::CreateChannel(Target(), grpc::SslCredentials(options));
  }

  test::TestCertificates services_ca_;
  test::TestCertificates clients_ca_;
  metrics::Registry metrics_{"test"};
  CountingKeyService keys_;
  RpcServer server_{test::TestCertificates::kTrustDomain, metrics_};
};

TEST_F(RpcServerTest, ServesARoleThatTheTableNames) {
  const auto answer = test::RawCall(ChannelAs("edge"), kCreateKey, "");
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  v1::CreateDataKeyResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.bytes));
  EXPECT_EQ(response.max_age_seconds(), 42);
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"CreateDataKey\","
                        "grpc_service=\"postern.v1.KeyService\"} 1"));
}

TEST_F(RpcServerTest, RefusesAPeerWithoutCertificate) {
  const auto answer = test::RawCall(PlainTlsChannel("", ""), kCreateKey, "");
  EXPECT_EQ(answer.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(keys_.calls, 0);
}

TEST_F(RpcServerTest, RefusesACertificateOfAnotherAuthority) {
  // An edge's name, but signed by the authority of the external clients.
  for (const char* role : {"edge", "client"}) {
    const tls::Files files = clients_ca_.Leaf(role, "one");
    const auto answer =
        test::RawCall(PlainTlsChannel(files.certificate, files.key), kCreateKey, "");
    EXPECT_EQ(answer.status.error_code(), StatusCode::UNAVAILABLE) << role;
  }
  EXPECT_EQ(keys_.calls, 0);
}

TEST_F(RpcServerTest, TheSameChannelWorksWithTheRightCertificate) {
  const tls::Files files = services_ca_.Leaf("edge", "one");
  EXPECT_TRUE(
      test::RawCall(PlainTlsChannel(files.certificate, files.key), kCreateKey, "").status.ok());
}

TEST_F(RpcServerTest, RefusesAnExpiredCertificate) {
  test::LeafOptions options;
  options.uri = "spiffe://test.postern/edge/old";
  options.expired = true;
  const tls::Files files = services_ca_.Issue(options);
  const auto answer = test::RawCall(PlainTlsChannel(files.certificate, files.key), kCreateKey, "");
  EXPECT_EQ(answer.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(keys_.calls, 0);
}

TEST_F(RpcServerTest, DeniesARoleThatTheTableDoesNotName) {
  for (const char* role : {"worker", "operator", "server", "portal", "client"}) {
    const auto answer = test::RawCall(ChannelAs(role), kCreateKey, "");
    EXPECT_EQ(answer.status.error_code(), StatusCode::PERMISSION_DENIED) << role;
  }
  EXPECT_EQ(keys_.calls, 0);
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("postern_rpc_denied_total{reason=\"permission_denied\"} 5"));
}

TEST_F(RpcServerTest, DeniesIdentitiesThatAreNotOne) {
  test::LeafOptions none;
  test::LeafOptions two;
  two.uri = "spiffe://test.postern/edge/one";
  two.more_uris = {"spiffe://test.postern/operator/one"};
  test::LeafOptions foreign;
  foreign.uri = "spiffe://elsewhere.postern/edge/one";
  for (const test::LeafOptions& options : {none, two, foreign}) {
    const auto answer = test::RawCall(ChannelOf(services_ca_.Issue(options)), kCreateKey, "");
    EXPECT_EQ(answer.status.error_code(), StatusCode::PERMISSION_DENIED) << options.uri;
  }
  EXPECT_EQ(keys_.calls, 0);
}

TEST_F(RpcServerTest, UnknownMethodsAreUnimplementedForEverybody) {
  for (const char* method : {"/postern.v1.KeyService/DropDataKeys", "/other.Service/Do",
                             "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_EQ(test::RawCall(ChannelAs("operator"), method, "").status.error_code(),
              StatusCode::UNIMPLEMENTED)
        << method;
  }
}

TEST_F(RpcServerTest, ReflectionIsForOperators) {
  const std::string list_services(kListServices, 2);
  const auto denied = test::RawCall(ChannelAs("edge"), kReflection, list_services);
  EXPECT_EQ(denied.status.error_code(), StatusCode::PERMISSION_DENIED);
  const auto allowed = test::RawCall(ChannelAs("operator"), kReflection, list_services);
  ASSERT_TRUE(allowed.status.ok()) << allowed.status.error_message();
  EXPECT_THAT(allowed.bytes, HasSubstr("postern.v1.KeyService"));
}

TEST_F(RpcServerTest, ChannelzIsForOperators) {
  constexpr char kGetServers[] = "/grpc.channelz.v1.Channelz/GetServers";
  EXPECT_EQ(test::RawCall(ChannelAs("edge"), kGetServers, "").status.error_code(),
            StatusCode::PERMISSION_DENIED);
  const auto allowed = test::RawCall(ChannelAs("operator"), kGetServers, "");
  EXPECT_TRUE(allowed.status.ok()) << allowed.status.error_message();
}

TEST_F(RpcServerTest, HealthFollowsWhatItIsTold) {
  const std::string serving("\x08\x01", 2);
  const std::string not_serving("\x08\x02", 2);
  const std::string key_service =
      std::string("\x0a\x15", 2) + "postern.v1.KeyService";  // Field 1, its length.
  const auto channel = ChannelAs("worker");
  EXPECT_EQ(test::RawCall(channel, kHealthCheck, "").bytes, serving);
  EXPECT_EQ(test::RawCall(channel, kHealthCheck, key_service).bytes, serving);
  server_.SetServing(false);
  EXPECT_EQ(test::RawCall(channel, kHealthCheck, "").bytes, not_serving);
  EXPECT_EQ(test::RawCall(channel, kHealthCheck, key_service).bytes, not_serving);
}

TEST_F(RpcServerTest, AChannelRefusesAPeerThatIsNotAServer) {
  server_.Shutdown(5s);
  for (const char* role : {"edge", "operator"}) {
    RpcServer impostor(test::TestCertificates::kTrustDomain, metrics_);
    CountingKeyService keys;
    ASSERT_TRUE(
        impostor.Start("127.0.0.1", 0, services_ca_.Leaf(role, "impostor"), nullptr, {&keys}).ok());
    rpc::ChannelSettings settings;
    settings.target = StrCat("localhost:", impostor.port());
    settings.files = services_ca_.Leaf("edge", "one");
    settings.trust_domain = test::TestCertificates::kTrustDomain;
    const auto channel = rpc::Channel(settings);
    ASSERT_TRUE(channel.ok()) << channel.status();
    const auto answer = test::RawCall(*channel, kCreateKey, "");
    EXPECT_EQ(answer.status.error_code(), StatusCode::UNAVAILABLE) << role;
    EXPECT_EQ(keys.calls, 0);
    impostor.Shutdown(5s);
  }
}

TEST_F(RpcServerTest, AChannelFindsARestartedServerWithinASecond) {
  const auto channel = ChannelAs("edge");
  ASSERT_TRUE(test::RawCall(channel, kCreateKey, "").status.ok());
  const std::uint16_t port = server_.port();
  server_.Shutdown(5s);
  EXPECT_EQ(test::RawCall(channel, kCreateKey, "").status.error_code(), StatusCode::UNAVAILABLE);
  RpcServer again(test::TestCertificates::kTrustDomain, metrics_);
  const absl::Status started =
      again.Start("127.0.0.1", port, services_ca_.Leaf("server", "server-1"), nullptr, {&keys_});
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + 2s));
  EXPECT_TRUE(test::RawCall(channel, kCreateKey, "").status.ok());
  again.Shutdown(5s);
}

// As many connections as this process may have files.
class ManyConnections {
 public:
  explicit ManyConnections(std::uint16_t port) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 128;
    setrlimit(RLIMIT_NOFILE, &low);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (true) {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      if (fd < 0) break;
      sockets_.push_back(fd);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) break;
    }
  }
  void Close() {
    for (const int fd : sockets_) close(fd);
    sockets_.clear();
  }
  ~ManyConnections() {
    Close();
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<int> sockets_;
};

// gRPC's own accept loop would never accept again (CVE-2023-4785).
TEST_F(RpcServerTest, AcceptsAgainAfterItHadNoFileDescriptorsLeft) {
  const tls::Files files = services_ca_.Leaf("edge", "one");
  ManyConnections connections(server_.port());
  ASSERT_TRUE(test::Eventually([&] {
    return metrics_.Serialize().find("postern_rpc_accept_errors_total 0") == std::string::npos;
  }));
  connections.Close();
  const auto channel = ChannelOf(files);
  EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + 10s));
  EXPECT_TRUE(test::RawCall(channel, kCreateKey, "").status.ok());
}

std::string SerialOf(const tls::Files& files) {
  return tls::ReadPeerCertificatePem(*ReadFile(files.certificate))->ref.serial_hex;
}

TEST_F(RpcServerTest, CutsTheConnectionsOfARevokedCertificateOnly) {
  const tls::Files revoked = services_ca_.Leaf("edge", "stolen");
  const auto stolen = ChannelOf(revoked);
  const auto honest = ChannelAs("edge");
  ASSERT_TRUE(test::RawCall(stolen, kCreateKey, "").status.ok());
  ASSERT_TRUE(test::RawCall(honest, kCreateKey, "").status.ok());
  ASSERT_EQ(server_.connections().size(), 2u);

  const std::string serial = SerialOf(revoked);
  const auto cut = [&] {
    return server_.connections().CutRevoked(
        [&](const tls::CertificateRef& one) { return one.serial_hex == serial; });
  };
  EXPECT_EQ(cut(), 1u);
  EXPECT_TRUE(test::RawCall(honest, kCreateKey, "").status.ok());
  EXPECT_EQ(honest->GetState(false), GRPC_CHANNEL_READY);
  // It connects again: keeping it out is the handshake's part.
  EXPECT_TRUE(stolen->WaitForConnected(std::chrono::system_clock::now() + 5s));
}

TEST_F(RpcServerTest, CutsARunningCallOfARevokedCertificate) {
  const auto channel = ChannelAs("edge");
  // A stream that would go on for ever.
  constexpr char kHealthWatch[] = "/grpc.health.v1.Health/Watch";
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 20s);
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer empty = test::Buffer("");
  auto call = stub.PrepareCall(&context, kHealthWatch, &queue);
  test::Step(queue, [&](void* tag) { call->StartCall(tag); });
  test::Step(queue, [&](void* tag) { call->WriteLast(empty, {}, tag); });
  grpc::ByteBuffer answer;
  ASSERT_TRUE(test::Step(queue, [&](void* tag) { call->Read(&answer, tag); }));
  EXPECT_EQ(server_.connections().CutRevoked([](const tls::CertificateRef&) { return true; }), 1u);
  EXPECT_FALSE(test::Step(queue, [&](void* tag) { call->Read(&answer, tag); }));
  grpc::Status status;
  test::Step(queue, [&](void* tag) { call->Finish(&status, tag); });
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  queue.Shutdown();
}

TEST_F(RpcServerTest, CutsAConnectionThatStaysSilent) {
  const auto silent = ChannelAs("edge");
  ASSERT_TRUE(silent->WaitForConnected(std::chrono::system_clock::now() + 5s));
  ASSERT_TRUE(test::Eventually([&] { return server_.connections().size() == 1; }));
  EXPECT_TRUE(test::Eventually([&] {
    return server_.connections().CutRevoked([](const tls::CertificateRef&) { return false; }) == 1;
  }));
}

TEST_F(RpcServerTest, KnowsTheCertificateOfAnIpv6Peer) {
  RpcServer server(test::TestCertificates::kTrustDomain, metrics_);
  CountingKeyService keys;
  const absl::Status started =
      server.Start("::1", 0, services_ca_.Leaf("server", "server-6"), nullptr, {&keys});
  ASSERT_TRUE(started.ok()) << started;
  rpc::ChannelSettings settings;
  settings.target = StrCat("[::1]:", server.port());
  settings.files = services_ca_.Leaf("edge", "one");
  settings.trust_domain = test::TestCertificates::kTrustDomain;
  ASSERT_TRUE(test::RawCall(*rpc::Channel(settings), kCreateKey, "").status.ok());
  EXPECT_EQ(server.connections().CutRevoked([](const tls::CertificateRef&) { return false; }), 0u);
  server.Shutdown(5s);
}

TEST_F(RpcServerTest, ForgetsConnectionsThatEnd) {
  for (int i = 0; i < 3; ++i) {
    const auto channel = ChannelAs("edge");
    ASSERT_TRUE(test::RawCall(channel, kCreateKey, "").status.ok());
  }
  EXPECT_TRUE(test::Eventually([&] { return server_.connections().size() == 0; }));
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("postern_rpc_connections 0"));
}

TEST_F(RpcServerTest, SaysWhenThePortIsTaken) {
  RpcServer second(test::TestCertificates::kTrustDomain, metrics_);
  CountingKeyService keys;
  const absl::Status started = second.Start(
      "127.0.0.1", server_.port(), services_ca_.Leaf("server", "server-2"), nullptr, {&keys});
  EXPECT_EQ(started.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ToStd(started.message())), HasSubstr("Address already in use"));
}

TEST_F(RpcServerTest, SaysWhichCertificateFileIsUnusable) {
  tls::Files files = services_ca_.Leaf("server", "server-2");
  files.key = services_ca_.Leaf("server", "server-3").key;
  RpcServer second(test::TestCertificates::kTrustDomain, metrics_);
  CountingKeyService keys;
  const absl::Status started = second.Start("127.0.0.1", 0, files, nullptr, {&keys});
  EXPECT_FALSE(started.ok());
  EXPECT_THAT(std::string(ToStd(started.message())), HasSubstr(files.key));
}

}  // namespace
}  // namespace postern::server
