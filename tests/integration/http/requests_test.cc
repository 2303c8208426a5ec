#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

#include "services/common/base/strings.h"
#include "tests/integration/http/server_fixture.h"

namespace postern::http {
namespace {

using ::testing::HasSubstr;

TEST_F(ServerTest, AnswersManyRequestsOnOneConnection) {
  StartServer();
  const auto client = Connect();
  for (int i = 0; i < 50; ++i) {
    const auto answer = client->Ask(Post("/a?b", StrCat("body ", i)));
    ASSERT_TRUE(answer.has_value()) << i;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, StrCat("POST /a?b spiffe://test.postern/client/billing body ", i));
    EXPECT_EQ(answer->fields.count("date"), 1u);
    EXPECT_EQ(answer->fields.count("connection"), 0u);
  }
  EXPECT_EQ(running_->server().connections(), 1u);
  EXPECT_EQ(running_->Metric("postern_http_connections{listener=\"test\"}"), "1");
  EXPECT_EQ(running_->Metric("postern_tls_handshakes_total{listener=\"test\",result=\"ok\","
                             "version=\"TLSv1.3\"}"),
            "1");
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Send(Post("/1", "a") + Post("/2", "b") + kGet));
  for (const char* begin : {"POST /1", "POST /2", "GET /a"}) {
    const auto answer = client->ReadAnswer();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->body.starts_with(begin)) << answer->body;
  }
}

TEST_F(ServerTest, SpeaksTls12WithTheSameRules) {
  StartServer();
  auto options = Options(client_files_);
  options.tls_version = TLS1_2_VERSION;
  test::TlsClient client(options);
  const auto answer = client.Ask(kGet);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
}

TEST_F(ServerTest, OlderTlsIsRefused) {
  StartServer();
  auto options = Options(client_files_);
  options.tls_version = TLS1_1_VERSION;
  EXPECT_FALSE(test::TlsClient(options).connected());
}

TEST_F(ServerTest, HeadHasNoBodyAndTheConnectionGoesOn) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Send("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const auto head = client->ReadAnswer(true);
  ASSERT_TRUE(head.has_value());
  EXPECT_NE(head->fields.at("content-length"), "0");
  const auto next = client->Ask(kGet);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->status, 200);
}

TEST_F(ServerTest, Http10IsAnsweredAndClosed) {
  StartServer();
  const auto client = Connect();
  const auto answer = client->Ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->fields.at("connection"), "close");
  EXPECT_TRUE(client->PeerCloses());
}

TEST_F(ServerTest, ContinueIsSaidForAnAcceptableHeader) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Send(
      "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  const auto go_on = client->ReadAnswer(true);
  ASSERT_TRUE(go_on.has_value());
  EXPECT_EQ(go_on->status, 100);
  const auto answer = client->Ask("hi");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
}

TEST_F(ServerTest, ContinueIsNotSaidForABodyThatIsTooLarge) {
  StartServer();
  const auto client = Connect();
  const auto answer = client->Ask(
      "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 413);
}

struct Refused {
  const char* name;
  std::string text;
  int status;
};

class RefusedRequest : public ServerTest, public ::testing::WithParamInterface<Refused> {};

// The client gets the answer, then the end, and what followed in the same stream is never taken for
// a request.
TEST_P(RefusedRequest, IsAnsweredAndTheConnectionClosed) {
  StartServer();
  const auto client = Connect();
  const auto answer = client->Ask(GetParam().text + kGet);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, GetParam().status);
  EXPECT_EQ(answer->fields.at("connection"), "close");
  EXPECT_TRUE(client->PeerCloses());
  EXPECT_EQ(running_->handler().handled, 0);
}

const Refused kRefused[] = {
    {"chunked",
     "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     501},
    {"te_that_hides_a_request", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
     501},
    {"two_equal_lengths",
     "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400},
    {"no_length", "POST /a HTTP/1.1\r\nHost: a\r\n\r\n", 411},
    {"no_host", "GET /a HTTP/1.1\r\n\r\n", 400},
    {"two_hosts", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"absolute_form", "GET https://a/a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"bare_line_feeds", "GET /a HTTP/1.1\nHost: a\n\n", 400},
    {"not_http", "\x01\x02\x03\x04\r\n\r\n", 400},
    {"expects_a_miracle", "GET /a HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\n\r\n", 417},
    {"body_over_limit",
     "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n" + std::string(65537, 'b'), 413},
    {"header_over_limit",
     "GET /a HTTP/1.1\r\nHost: a\r\nX: " + std::string(16 * 1024, 'h') + "\r\n\r\n", 431},
};

INSTANTIATE_TEST_SUITE_P(All, RefusedRequest, ::testing::ValuesIn(kRefused),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_F(ServerTest, TakesABodyOfExactlyTheLimit) {
  StartServer();
  const auto client = Connect();
  const auto answer = client->Ask(Post("/a", std::string(limits_.body_bytes, 'b')));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr(std::string(limits_.body_bytes, 'b')));
}

TEST_F(ServerTest, ALargeAnswerArrivesWhole) {
  StartServer();
  const auto client = Connect();
  const auto answer = client->Ask("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, std::string(kBigAnswer, 'x'));
}

TEST_F(ServerTest, AHandlerThatThrowsIsA500WithoutItsText) {
  StartServer();
  const auto client = Connect();
  const auto answer = client->Ask(Post("/throw", ""));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->body.find("must not be seen"), std::string::npos);
  EXPECT_TRUE(client->PeerCloses());
  const auto next = Connect()->Ask(kGet);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->status, 200);
}

TEST_F(ServerTest, AFieldThatWouldForgeAnotherIsA500) {
  StartServer();
  const auto answer = Connect()->Ask("GET /forge HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->fields.count("x-forged"), 0u);
}

}  // namespace
}  // namespace postern::http
