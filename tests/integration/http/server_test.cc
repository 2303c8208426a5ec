#include "services/common/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/tls/context.h"
#include "tests/support/eventually.h"
#include "tests/support/test_certificates.h"
#include "tests/support/tls_client.h"

namespace postern::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

// More than the sockets' buffers of both sides take.
constexpr std::size_t kBigAnswer = 24'000'000;

// Echoes; `/wait` holds its answer back until Release, `/throw` fails.
class TestHandler final : public Handler {
 public:
  explicit TestHandler(asio::io_context& io)
      : io_(io), gate_(io, asio::steady_timer::time_point::max()) {}

  asio::awaitable<Response> Handle(Request request) override {
    ++handled;
    if (request.path == "/throw") throw std::runtime_error("must not be seen by anybody");
    if (request.path == "/wait") {
      ++waiting;
      if (!released_) co_await gate_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    Response response;
    if (request.path == "/big") {
      response.body.assign(kBigAnswer, 'x');
    } else if (request.path == "/forge") {
      response.fields.emplace_back("X-A", "b\r\nX-Forged: 1");
    } else {
      response.body = StrCat(request.method, " ", request.path, "?", request.query, " ",
                             request.peer == nullptr ? "nobody" : request.peer->id.ToString(), " ",
                             request.body);
    }
    co_return response;
  }

  Response Refuse(int status, std::string_view detail) override {
    Response response;
    response.status = status;
    response.body = std::string(detail);
    return response;
  }

  // Any thread.
  void Release() {
    asio::post(io_, [this] {
      released_ = true;
      gate_.cancel();
    });
  }

  std::atomic<int> handled{0};
  std::atomic<int> waiting{0};

 private:
  asio::io_context& io_;
  asio::steady_timer gate_;
  bool released_ = false;
};

// A running server with `lanes` threads.
class RunningServer {
 public:
  RunningServer(const tls::Files* files, Limits limits, std::size_t lanes, PeerCheck check) {
    std::vector<Lane> all;
    for (std::size_t i = 0; i < lanes; ++i) {
      ios_.push_back(std::make_unique<asio::io_context>(1));
      handlers_.push_back(std::make_unique<TestHandler>(*ios_.back()));
      Lane lane;
      lane.io = ios_.back().get();
      lane.handler = handlers_.back().get();
      all.push_back(lane);
    }
    std::shared_ptr<asio::ssl::context> context;
    if (files != nullptr) context = tls::ServerContext(*files).value();
    server_ = std::make_unique<Server>("test", all, context, limits, std::move(check), metrics);
    const absl::Status listening = server_->Listen("127.0.0.1", 0);
    if (!listening.ok()) throw std::runtime_error(listening.ToString());
    for (auto& io : ios_) threads_.emplace_back([&io] { io->run(); });
  }

  ~RunningServer() {
    for (auto& handler : handlers_) handler->Release();
    server_->AwaitIdle(milliseconds(100));
    for (auto& io : ios_) io->stop();
    for (auto& thread : threads_) thread.join();
  }

  Server& server() { return *server_; }
  TestHandler& handler(std::size_t lane = 0) { return *handlers_[lane]; }
  std::uint16_t port() const { return server_->port(); }
  // The value of the one series of which `series` is the beginning of the line.
  std::string Metric(const std::string& series) {
    const std::string page = metrics.Serialize();
    const std::size_t at = page.find("\n" + series + " ");
    if (at == std::string::npos) return "none";
    const std::size_t begin = at + series.size() + 2;
    return page.substr(begin, page.find('\n', begin) - begin);
  }

  metrics::Registry metrics{"test"};

 private:
  std::vector<std::unique_ptr<asio::io_context>> ios_;
  std::vector<std::unique_ptr<TestHandler>> handlers_;
  std::unique_ptr<Server> server_;
  std::vector<std::thread> threads_;
};

class ServerTest : public ::testing::Test {
 protected:
  static constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

  void StartServer(std::size_t lanes = 1) {
    running_ = std::make_unique<RunningServer>(&server_files_, limits_, lanes, check_);
  }

  test::TlsClient::Options Options(const tls::Files& files) {
    test::TlsClient::Options options;
    options.port = running_->port();
    options.files = files;
    return options;
  }
  std::unique_ptr<test::TlsClient> Connect() {
    return std::make_unique<test::TlsClient>(Options(client_files_));
  }

  static std::string Post(const std::string& path, const std::string& body) {
    return StrCat("POST ", path, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ", body.size(),
                  "\r\n\r\n", body);
  }

  std::string Rejections(const std::string& reason) {
    return running_->Metric(
        StrCat("postern_client_cert_rejections_total{listener=\"test\",reason=\"", reason, "\"}"));
  }

  test::TestCertificates authority_;
  tls::Files server_files_ = authority_.Leaf("edge", "edge-1");
  tls::Files client_files_ = authority_.Leaf("client", "billing");
  Limits limits_;
  PeerCheck check_;
  std::unique_ptr<RunningServer> running_;
};

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

// In TLS 1.3 the client hears of it with its first read.
bool IsRefused(const test::TlsClient::Options& options) {
  test::TlsClient client(options);
  return !client.connected() || !client.Ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").has_value();
}

TEST_F(ServerTest, CertificatesThatDoNotFitAreRefused) {
  StartServer();
  test::TestCertificates stranger;
  test::LeafOptions expired;
  expired.uri = "spiffe://test.postern/client/billing";
  expired.expired = true;
  test::LeafOptions two_uris;
  two_uris.uri = "spiffe://test.postern/client/billing";
  two_uris.more_uris = {"spiffe://test.postern/operator/root"};
  const std::vector<std::pair<std::string, tls::Files>> cases = {
      {"missing", tls::Files()},
      {"unknown_ca", stranger.Leaf("client", "billing")},
      {"expired", authority_.Issue(expired)},
      {"identity", authority_.Issue(two_uris)},
  };
  for (const auto& [reason, files] : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      auto options = Options(files);
      options.files.trust = authority_.ca_file();
      options.tls_version = version;
      EXPECT_TRUE(IsRefused(options)) << reason;
    }
    EXPECT_TRUE(test::Eventually([&] { return Rejections(reason) == "2"; }))
        << reason << " " << Rejections(reason);
  }
  EXPECT_EQ(running_->handler().handled, 0);
}

TEST_F(ServerTest, ASiblingAuthorityUnderTheSameRootIsAStranger) {
  test::TestCertificates clients(&authority_);
  test::TestCertificates services(&authority_);
  server_files_.trust = clients.ca_file();
  StartServer();
  auto good = Options(clients.Leaf("client", "a"));
  good.files.trust = authority_.ca_file();
  EXPECT_FALSE(IsRefused(good));
  auto bad = Options(services.Leaf("client", "a"));
  bad.files.trust = authority_.ca_file();
  EXPECT_TRUE(IsRefused(bad));
}

TEST_F(ServerTest, ThePeerCheckDecides) {
  check_ = [](const tls::PeerCertificate& peer) {
    return peer.id.name == "billing" ? absl::OkStatus() : absl::PermissionDeniedError("unknown");
  };
  StartServer();
  EXPECT_FALSE(IsRefused(Options(client_files_)));
  EXPECT_TRUE(IsRefused(Options(authority_.Leaf("client", "other"))));
  EXPECT_EQ(Rejections("not_admitted"), "1");
}

TEST_F(ServerTest, AConnectionThatThePeerCheckRefusesLaterIsCut) {
  auto admitted = std::make_shared<std::atomic<bool>>(true);
  check_ = [admitted](const tls::PeerCertificate&) {
    return *admitted ? absl::OkStatus() : absl::PermissionDeniedError("revoked");
  };
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Ask(kGet).has_value());
  running_->server().RecheckPeers();
  ASSERT_TRUE(client->Ask(kGet).has_value());
  *admitted = false;
  running_->server().RecheckPeers();
  EXPECT_TRUE(client->PeerCloses());
}

TEST_F(ServerTest, SessionsAreNotResumed) {
  StartServer();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto options = Options(client_files_);
    options.tls_version = version;
    test::TlsClient first(options);
    ASSERT_TRUE(first.Ask(kGet).has_value());
    SSL_SESSION* session = first.TakeSession();
    options.resume = session;
    test::TlsClient second(options);
    EXPECT_TRUE(second.Ask(kGet).has_value());
    EXPECT_EQ(SSL_session_reused(second.ssl()), 0);
    EXPECT_EQ(SSL_SESSION_has_ticket(session), 0);
    SSL_SESSION_free(session);
  }
}

TEST_F(ServerTest, ASlowHeaderIsCutWhileOthersAreAnswered) {
  limits_.header_timeout = milliseconds(300);
  StartServer();
  const auto slow = Connect();
  ASSERT_TRUE(slow->Send("GET /a HTTP/1.1\r\n"));
  const auto begin = std::chrono::steady_clock::now();
  const auto quick = Connect();
  std::optional<test::RawAnswer> answer;
  // Each byte counts as progress for a naive deadline.
  while (slow->Send("X") && std::chrono::steady_clock::now() - begin < std::chrono::seconds(5)) {
    answer = quick->Ask(kGet);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200);
    std::this_thread::sleep_for(milliseconds(20));
    if (running_->Metric("postern_http_refused_total{listener=\"test\",reason=\"timeout\"}") ==
        "1") {
      break;
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  answer = slow->ReadAnswer();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 408);
  EXPECT_TRUE(slow->PeerCloses());
}

TEST_F(ServerTest, ASlowBodyIsCut) {
  limits_.body_timeout = milliseconds(200);
  StartServer();
  const auto client = Connect();
  const auto answer =
      client->Ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nnot all of it");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 408);
  EXPECT_TRUE(client->PeerCloses());
}

TEST_F(ServerTest, AClientThatDoesNotReadItsAnswerIsCut) {
  limits_.write_timeout = milliseconds(200);
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_TRUE(test::Eventually([this] { return running_->handler().handled == 1; }));
  EXPECT_TRUE(test::Eventually([this] { return running_->server().connections() == 0; }));
}

TEST_F(ServerTest, SilentConnectionsAreClosed) {
  limits_.handshake_timeout = milliseconds(200);
  limits_.idle_timeout = milliseconds(300);
  StartServer();
  const auto idle = Connect();
  ASSERT_TRUE(idle->Ask(kGet).has_value());
  auto options = Options(tls::Files());
  options.plain = true;
  test::TlsClient no_handshake(options);
  EXPECT_TRUE(no_handshake.PeerCloses());
  EXPECT_TRUE(idle->PeerCloses());
  EXPECT_TRUE(test::Eventually([this] { return running_->server().connections() == 0; }));
}

TEST_F(ServerTest, DrainAnswersWhatIsInFlightAndClosesWhatIsIdle) {
  StartServer();
  const auto idle = Connect();
  ASSERT_TRUE(idle->Ask(kGet).has_value());
  const auto busy = Connect();
  ASSERT_TRUE(busy->Send(Post("/wait", "x")));
  ASSERT_TRUE(test::Eventually([this] { return running_->handler().waiting == 1; }));
  running_->server().StopAccepting();
  EXPECT_TRUE(idle->PeerCloses());
  EXPECT_FALSE(idle->reset());
  EXPECT_TRUE(test::Eventually([this] { return running_->server().connections() == 1; }));
  EXPECT_FALSE(Connect()->connected());
  running_->handler().Release();
  const auto answer = busy->ReadAnswer();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->fields.at("connection"), "close");
  EXPECT_TRUE(busy->PeerCloses());
  EXPECT_TRUE(running_->server().AwaitIdle(std::chrono::seconds(5)));
}

TEST_F(ServerTest, DrainFinishesARequestThatHasBegun) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Ask(kGet).has_value());
  ASSERT_TRUE(
      client->Send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 2\r\n\r\n"));
  ASSERT_TRUE(client->ReadAnswer(true).has_value());
  running_->server().StopAccepting();
  const auto answer = client->Ask("hi");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->fields.at("connection"), "close");
}

TEST_F(ServerTest, WhatDoesNotEndIsCutAtTheLimit) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Send(Post("/wait", "")));
  ASSERT_TRUE(test::Eventually([this] { return running_->handler().waiting == 1; }));
  EXPECT_FALSE(running_->server().AwaitIdle(milliseconds(50)));
  EXPECT_FALSE(client->ReadAnswer().has_value());
}

TEST_F(ServerTest, AFullLaneServesWhoIsInAndTakesOthersLater) {
  limits_.connections = 2;
  StartServer();
  auto first = Connect();
  const auto second = Connect();
  ASSERT_TRUE(first->Ask(kGet).has_value());
  ASSERT_TRUE(second->Ask(kGet).has_value());
  std::thread leave([&] {
    test::Eventually([this] {
      return running_->Metric(
                 "postern_http_accept_pauses_total{listener=\"test\",reason=\"limit\"}") != "0";
    });
    EXPECT_EQ(running_->server().connections(), 2u);
    first.reset();
  });
  const auto third = Connect();
  EXPECT_TRUE(third->Ask(kGet).has_value());
  leave.join();
}

TEST_F(ServerTest, LanesShareThePort) {
  StartServer(2);
  std::vector<std::unique_ptr<test::TlsClient>> clients;
  const auto both_used = [this] {
    return running_->handler(0).handled > 0 && running_->handler(1).handled > 0;
  };
  for (int i = 0; i < 64 && !both_used(); ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back()->Ask(kGet).has_value());
  }
  EXPECT_TRUE(both_used());
  EXPECT_TRUE(running_->server().AwaitIdle(std::chrono::seconds(5)));
}

// As when a program fails at start after it has begun to listen.
TEST_F(ServerTest, EndsWithoutHavingRun) {
  metrics::Registry metrics("test");
  asio::io_context io(1);
  TestHandler handler(io);
  Lane lane;
  lane.io = &io;
  lane.handler = &handler;
  const std::vector<Lane> lanes = {lane};
  Server server("test", lanes, nullptr, limits_, nullptr, metrics);
  EXPECT_TRUE(server.Listen("127.0.0.1", 0).ok());
}

TEST_F(ServerTest, ATakenPortIsNamed) {
  for (const std::size_t lanes : {1, 2}) {
    StartServer(lanes);
    asio::io_context io(1);
    TestHandler handler(io);
    metrics::Registry metrics("other");
    std::vector<Lane> all(lanes);
    for (Lane& lane : all) {
      lane.io = &io;
      lane.handler = &handler;
    }
    Server other("other", all, nullptr, limits_, nullptr, metrics);
    const absl::Status status = other.Listen("127.0.0.1", running_->port());
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(StrCat("127.0.0.1 port ", running_->port())));
  }
}

}  // namespace
}  // namespace postern::http
