#include "services/common/http/ops_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "services/common/base/strings.h"
#include "tests/support/tls_client.h"

namespace postern::http {
namespace {

using ::testing::HasSubstr;

class OpsServerTest : public ::testing::Test {
 protected:
  OpsServerTest()
      : server_(metrics_, [this] {
          Check check;
          check.name = "redis";
          check.state = state_;
          check.detail = "a detail";
          return std::vector<Check>{check};
        }) {}

  void SetUp() override {
    const absl::Status status = server_.Listen("127.0.0.1", 0);
    ASSERT_TRUE(status.ok()) << status;
  }

  test::RawAnswer Ask(const std::string& method, const std::string& target) {
    test::TlsClient::Options options;
    options.port = server_.port();
    options.plain = true;
    test::TlsClient client(options);
    return client.Ask(StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .value_or(test::RawAnswer());
  }
  test::RawAnswer Get(const std::string& target) { return Ask("GET", target); }

  metrics::Registry metrics_{"test"};
  std::atomic<Check::State> state_{Check::State::kPass};
  OpsServer server_;
};

TEST_F(OpsServerTest, ShowsMetrics) {
  metrics_.Counter("postern_things_total", "Things.").Increment(3);
  const test::RawAnswer page = Get("/metrics");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.fields.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("\npostern_things_total 3\n"));
}

TEST_F(OpsServerTest, ReadinessFollowsTheChecks) {
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_THAT(Get("/readyz?verbose").body, HasSubstr("[+]redis pass: a detail\n"));
  state_ = Check::State::kWarn;
  EXPECT_EQ(Get("/readyz").status, 200);
  state_ = Check::State::kFail;
  const test::RawAnswer page = Get("/readyz");
  EXPECT_EQ(page.status, 503);
  EXPECT_THAT(page.body, HasSubstr("[-]redis fail: a detail\n"));
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_EQ(Get("/health").status, 503);
  EXPECT_EQ(Get("/health").body,
            R"({"status":"fail","checks":{"redis":{"status":"fail","detail":"a detail"}}})");
}

TEST_F(OpsServerTest, DrainingIsNotReady) {
  server_.SetDraining();
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "draining\n");
  EXPECT_EQ(Get("/livez").status, 200);
}

TEST_F(OpsServerTest, OtherPathsAndMethods) {
  EXPECT_EQ(Get("/").status, 404);
  const test::RawAnswer refused = Ask("DELETE", "/metrics");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.fields.at("allow"), "GET, HEAD");
}

TEST_F(OpsServerTest, StopsWithAnOpenConnection) {
  test::TlsClient::Options options;
  options.port = server_.port();
  options.plain = true;
  test::TlsClient client(options);
  ASSERT_TRUE(client.Ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").has_value());
  server_.Stop();
  EXPECT_TRUE(client.PeerCloses());
}

}  // namespace
}  // namespace postern::http
