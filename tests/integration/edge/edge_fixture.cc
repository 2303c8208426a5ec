#include "tests/integration/edge/edge_fixture.h"

#include <openssl/pem.h>
#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "services/common/base/files.h"
#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/tls/context_source.h"
#include "services/common/tls/identity.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::RawAnswer;
using postern::test::RedisServer;
using postern::test::TestCertificates;
using postern::test::TlsClient;

constexpr std::chrono::milliseconds kRedisTimeout{5'000};

std::string Fingerprint(const std::string& pem_path) {
  BIO* const file = BIO_new_file(pem_path.c_str(), "r");
  X509* const certificate = PEM_read_bio_X509(file, nullptr, nullptr, nullptr);
  const auto peer = tls::ReadPeerCertificate(certificate);
  X509_free(certificate);
  BIO_free(file);
  return peer.value().sha256_hex;
}

boost::asio::awaitable<std::vector<redis::Reply>> AskRedis(const redis::Settings& settings,
                                                           const std::string& wire,
                                                           std::size_t count) {
  const auto executor = co_await boost::asio::this_coro::executor;
  redis::Connection connection(executor);
  const absl::Status connected = co_await connection.Connect(settings);
  if (!connected.ok()) throw std::runtime_error(connected.ToString());
  auto replies = co_await connection.Exchange(wire, count, kRedisTimeout);
  if (!replies.ok()) throw std::runtime_error(replies.status().ToString());
  co_return *std::move(replies);
}

std::vector<redis::Reply> Ask(const redis::Settings& settings, const std::string& wire,
                              std::size_t count) {
  boost::asio::io_context io;
  auto replies =
      boost::asio::co_spawn(io, AskRedis(settings, wire, count), boost::asio::use_future);
  io.run();
  return replies.get();
}

}  // namespace

TestCertificates& EdgeFixture::ServicesCa() {
  static TestCertificates authority;
  return authority;
}

TestCertificates& EdgeFixture::ClientsCa() {
  static TestCertificates authority;
  return authority;
}

EdgeFixture::EdgeFixture() {
  std::string pattern = testing::TempDir() + "edge_XXXXXX";
  folder_ = mkdtemp(pattern.data());
  server_ = std::make_unique<FakeServer>(ServicesCa().Leaf("server", "server-1"));
  acme_files_ = ClientsCa().Leaf("client", "acme");
  Register("acme", acme_files_);
}

EdgeFixture::~EdgeFixture() {
  edge_.reset();
  std::filesystem::remove_all(folder_);
}

void EdgeFixture::StartRedis(std::vector<std::pair<std::string, std::string>> overrides) {
  auto redis = RedisServer::Start(ServicesCa().Leaf("server", "redis"), std::move(overrides));
  ASSERT_TRUE(redis.ok()) << redis.status();
  redis_ = *std::move(redis);
  const std::string password_file = folder_ + "/redis_password";
  ASSERT_TRUE(WriteFileAtomically(password_file, RedisServer::Password("edge")).ok());
}

Settings EdgeFixture::MakeSettings() const {
  Settings settings;
  settings.trust_domain = TestCertificates::kTrustDomain;
  settings.trust.managed = false;
  settings.ops_port = 0;
  settings.listen_address = "127.0.0.1";
  settings.listen_port = 0;
  settings.listen = ServicesCa().Leaf("edge", "edge-1");
  settings.mesh = settings.listen;
  settings.listen.trust = ClientsCa().ca_file();
  settings.server_target = server_->target();
  settings.redis_port = redis_->port();
  settings.redis_password_file = folder_ + "/redis_password";
  settings.redis_trust_file = ServicesCa().ca_file();
  settings.directory_cache_file = folder_ + "/clients.cache";
  settings.drain_timeout = std::chrono::seconds(5);
  return settings;
}

absl::Status EdgeFixture::StartEdge(const Settings& settings) {
  edge_.reset();
  edge_ = std::make_unique<Application>(settings);
  return edge_->Start();
}

void EdgeFixture::StartAll(std::vector<std::pair<std::string, std::string>> redis_overrides) {
  StartRedis(std::move(redis_overrides));
  const absl::Status started = StartEdge(MakeSettings());
  ASSERT_TRUE(started.ok()) << started;
  ASSERT_TRUE(postern::test::Eventually([&] { return Ready(); }));
}

bool EdgeFixture::Ready() const {
  TlsClient::Options options;
  options.port = edge_->ops_port();
  options.plain = true;
  TlsClient client(options);
  const auto answer = client.Ask(GetText("/readyz"));
  return answer.has_value() && answer->status == 200;
}

v1::Client EdgeFixture::Register(const std::string& id, const tls::Files& files,
                                 v1::ClientState state) {
  v1::Client client;
  client.set_client_id(id);
  client.set_domain("example.org");
  client.add_certificate_sha256(Fingerprint(files.certificate));
  client.set_state(state);
  server_->SetClient(client);
  return client;
}

std::unique_ptr<TlsClient> EdgeFixture::Connect(const tls::Files& files) const {
  TlsClient::Options options;
  options.port = edge_->port();
  options.files = files;
  options.files.trust = ServicesCa().ca_file();
  return std::make_unique<TlsClient>(options);
}

std::string EdgeFixture::PostText(const std::string& body, const std::string& more_fields) {
  return "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\n" + more_fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string EdgeFixture::GetText(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

std::string EdgeFixture::GoodBody(const std::string& text) {
  nlohmann::json json;
  json["sender_number"] = "+14155550123";
  json["message_body"] = text;
  json["metadata"]["client_ref"] = "ref-1";
  return json.dump();
}

std::optional<RawAnswer> EdgeFixture::Post(const std::string& text) const {
  return Connect()->Ask(PostText(GoodBody(text)));
}

nlohmann::json EdgeFixture::Json(const RawAnswer& answer) {
  return nlohmann::json::parse(answer.body);
}

std::vector<v1::Envelope> EdgeFixture::QueuedEnvelopes() const {
  const auto context = tls::ContextSource::Client(ServicesCa().Leaf("server", "test"));
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "XRANGE", redis::StreamKey(shard), "-", "+");
  }
  std::vector<v1::Envelope> envelopes;
  for (const redis::Reply& reply :
       Ask(redis_->SettingsFor("admin", *context), wire, redis::kShards)) {
    for (std::size_t i = 0; i < reply.raw().elements; ++i) {
      const redisReply& value = *reply.raw().element[i]->element[1]->element[1];
      envelopes.emplace_back();
      EXPECT_TRUE(envelopes.back().ParseFromArray(value.str, static_cast<int>(value.len)));
    }
  }
  return envelopes;
}

redis::Reply EdgeFixture::RedisReply(const std::vector<std::string>& arguments) const {
  const auto context = tls::ContextSource::Client(ServicesCa().Leaf("server", "test"));
  std::string wire;
  const std::vector<std::string_view> views(arguments.begin(), arguments.end());
  redis::AppendCommand(wire, std::span<const std::string_view>(views));
  redis::Reply reply = Ask(redis_->SettingsFor("admin", *context), wire, 1).at(0);
  if (reply.IsError()) throw std::runtime_error(std::string(reply.text()));
  return reply;
}

void EdgeFixture::RedisCommand(const std::vector<std::string>& arguments) const {
  (void)RedisReply(arguments);
}

}  // namespace postern::edge::test
