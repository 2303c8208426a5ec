#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edge_proxy/application.h"
#include "services/common/redis/reply.h"
#include "tests/integration/edge/fake_server.h"
#include "tests/support/redis_server.h"
#include "tests/support/test_certificates.h"
#include "tests/support/tls_client.h"

namespace postern::edge::test {

// A whole edge in the test's process, with a real Redis, a fake main server, and one registered
// client `acme`.
class EdgeFixture : public testing::Test {
 protected:
  EdgeFixture();
  ~EdgeFixture() override;

  // Starts Redis and the edge, and waits until it is ready.
  void StartAll(std::vector<std::pair<std::string, std::string>> redis_overrides = {});
  void StartRedis(std::vector<std::pair<std::string, std::string>> overrides);
  Settings MakeSettings() const;
  absl::Status StartEdge(const Settings& settings);
  bool Ready() const;

  // Registers a certificate of the clients' authority for `id`.
  v1::Client Register(const std::string& id, const tls::Files& files,
                      v1::ClientState state = v1::CLIENT_STATE_ACTIVE);
  // A connection that shows `files`; trusts the services' authority.
  std::unique_ptr<postern::test::TlsClient> Connect(const tls::Files& files) const;
  // A connection of `acme`.
  std::unique_ptr<postern::test::TlsClient> Connect() const { return Connect(acme_files_); }

  static std::string PostText(const std::string& body, const std::string& more_fields =
                                                           "Content-Type: application/json\r\n");
  static std::string GetText(const std::string& path);
  static std::string GoodBody(const std::string& text = "hello");
  // Posts over a connection of its own; nullopt when no answer came.
  std::optional<postern::test::RawAnswer> Post(const std::string& text = "hello") const;
  static nlohmann::json Json(const postern::test::RawAnswer& answer);

  // The serialised envelopes that lie in the queue, in order.
  std::vector<v1::Envelope> QueuedEnvelopes() const;
  // Runs one command as Redis's administrator. Throws on an error.
  redis::Reply RedisReply(const std::vector<std::string>& arguments) const;
  void RedisCommand(const std::vector<std::string>& arguments) const;

  // One Redis, one edge a test: the authorities are shared, since keys take time.
  static postern::test::TestCertificates& ServicesCa();
  static postern::test::TestCertificates& ClientsCa();

  std::string folder_;
  tls::Files acme_files_;
  std::unique_ptr<postern::test::RedisServer> redis_;
  std::unique_ptr<FakeServer> server_;
  std::unique_ptr<Application> edge_;
};

}  // namespace postern::edge::test
