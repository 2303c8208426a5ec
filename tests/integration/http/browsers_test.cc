#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/http/server_fixture.h"

namespace postern::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A listener that asks for no certificate.
class BrowsersTest : public ServerTest {
 protected:
  void Start() {
    // Whom to trust is of no interest to it.
    server_files_.trust = "/nowhere";
    running_ = std::make_unique<RunningServer>(&server_files_, limits_, 1, check_, -1,
                                               /*for_browsers=*/true);
  }
  std::unique_ptr<test::TlsClient> Open() {
    test::TlsClient::Options options;
    options.port = running_->port();
    return std::make_unique<test::TlsClient>(options);
  }
  static std::string Get(const std::string& path) {
    return StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
};

TEST_F(BrowsersTest, WhoShowsNoCertificateIsKnownByTheAddress) {
  check_ = [](const tls::PeerCertificate&, std::string_view) {
    return absl::PermissionDeniedError("nobody");
  };
  Start();
  const auto client = Open();
  const auto answer = client->Ask(Get("/who"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "[127.0.0.1]");
  EXPECT_THAT(client->Ask(Get("/a"))->body, HasSubstr("nobody")) << "the connection stays open";
}

TEST_F(BrowsersTest, WhoWaitsLongestMakesRoom) {
  limits_.connections = 3;
  limits_.strangers = 3;
  Start();
  std::vector<std::unique_ptr<test::TlsClient>> idle;
  for (int i = 0; i < 3; ++i) {
    idle.push_back(Open());
    ASSERT_TRUE(idle.back()->Ask(Get("/a")).has_value());
  }
  const auto next = Open();
  EXPECT_TRUE(next->Ask(Get("/a")).has_value());
  EXPECT_TRUE(idle.front()->PeerCloses());
}

TEST_F(BrowsersTest, AStreamGoesOnUntilTheServerDrains) {
  Start();
  const auto client = Open();
  ASSERT_TRUE(client->Send(Get("/stream")));
  ASSERT_TRUE(test::Eventually([&] { return running_->handler().handled == 1; }));
  running_->server().StopAccepting();
  const std::string all = client->ReadAll();
  EXPECT_THAT(all, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(all, HasSubstr("Connection: close"));
  EXPECT_THAT(all, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(all, HasSubstr("\r\n\r\npiece 1\npiece 2\n"));
  EXPECT_GE(running_->handler().cancelled, 1);
  EXPECT_TRUE(running_->server().AwaitIdle(std::chrono::milliseconds(5'000)));
}

TEST_F(BrowsersTest, AStreamIsNotCutForWhoComesNext) {
  limits_.connections = 1;
  limits_.strangers = 1;
  Start();
  const auto stream = Open();
  ASSERT_TRUE(stream->Send(Get("/stream")));
  ASSERT_TRUE(test::Eventually([&] { return running_->handler().handled == 1; }));
  test::TlsClient::Options options;
  options.port = running_->port();
  options.limit = std::chrono::milliseconds(300);
  test::TlsClient next(options);
  EXPECT_FALSE(next.connected()) << "it waits until somebody leaves";
  EXPECT_EQ(running_->handler().cancelled, 0);
  running_->server().StopAccepting();
  EXPECT_THAT(stream->ReadAll(), HasSubstr("piece 2"));
}

TEST_F(BrowsersTest, AHeadOfAStreamIsOnlyItsHead) {
  Start();
  const auto client = Open();
  ASSERT_TRUE(client->Send("HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_TRUE(client->ReadAnswer(/*head=*/true).has_value());
  EXPECT_TRUE(client->Ask(Get("/a")).has_value()) << "the connection goes on";
}

}  // namespace
}  // namespace postern::http
