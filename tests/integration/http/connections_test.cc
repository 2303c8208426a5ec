#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "tests/integration/http/server_fixture.h"

namespace postern::http {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

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
  check_ = [](const tls::PeerCertificate& peer, std::string_view) {
    return peer.id.name == "billing" ? absl::OkStatus() : absl::PermissionDeniedError("unknown");
  };
  StartServer();
  EXPECT_FALSE(IsRefused(Options(client_files_)));
  EXPECT_TRUE(IsRefused(Options(authority_.Leaf("client", "other"))));
  EXPECT_EQ(Rejections("not_admitted"), "1");
}

TEST_F(ServerTest, ConnectionsOfAPeerThatMayNotStayAreCut) {
  StartServer(2);
  const tls::Files other_files = authority_.Leaf("client", "other");
  test::TlsClient other(Options(other_files));
  ASSERT_TRUE(other.Ask(kGet).has_value());
  std::vector<std::unique_ptr<test::TlsClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back()->Ask(kGet).has_value());
  }
  // One of them waits for its answer.
  ASSERT_TRUE(clients.front()->Send(Post("/wait", "x")));
  ASSERT_TRUE(test::Eventually(
      [this] { return running_->handler(0).waiting + running_->handler(1).waiting == 1; }));
  int asked = 0;
  running_->server().RecheckPeers([&asked](const tls::PeerCertificate&) {
    ++asked;
    return absl::OkStatus();
  });
  EXPECT_EQ(asked, 2) << "once for each certificate";
  ASSERT_TRUE(clients.back()->Ask(kGet).has_value());
  running_->server().RecheckPeers([](const tls::PeerCertificate& peer) {
    return peer.id.name == "other" ? absl::OkStatus() : absl::PermissionDeniedError("revoked");
  });
  for (const auto& client : clients) EXPECT_TRUE(client->PeerCloses());
  EXPECT_TRUE(other.Ask(kGet).has_value());
  EXPECT_EQ(
      running_->Metric("postern_http_connections_cut_total{listener=\"test\",reason=\"peer\"}"),
      "8");
}

TEST_F(ServerTest, APeerHasItsShareOfConnections) {
  limits_.connections_per_peer = 2;
  StartServer(2);
  const tls::Files renewed = authority_.Leaf("client", "billing");
  auto first = Connect();
  test::TlsClient second(Options(renewed));
  ASSERT_TRUE(first->Ask(kGet).has_value());
  ASSERT_TRUE(second.Ask(kGet).has_value());
  const auto third = Connect();
  const auto refused = third->Ask(kGet);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->fields.at("connection"), "close");
  EXPECT_TRUE(third->PeerCloses());
  EXPECT_FALSE(IsRefused(Options(authority_.Leaf("client", "other"))));
  first.reset();
  EXPECT_TRUE(test::Eventually([this] {
    const auto answer = Connect()->Ask(kGet);
    return answer.has_value() && answer->status == 200;
  }));
}

TEST_F(ServerTest, APeerHasItsShareOfRequestsInHand) {
  limits_.requests_per_peer = 1;
  StartServer();
  const auto busy = Connect();
  ASSERT_TRUE(busy->Send(Post("/wait", "x")));
  ASSERT_TRUE(test::Eventually([this] { return running_->handler().waiting == 1; }));
  const auto more = Connect();
  auto answer = more->Ask(kGet);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 429);
  EXPECT_FALSE(IsRefused(Options(authority_.Leaf("client", "other"))));
  running_->handler().Release();
  ASSERT_TRUE(busy->ReadAnswer().has_value());
  answer = more->Ask(kGet);
  ASSERT_TRUE(answer.has_value()) << "the connection stays usable";
  EXPECT_EQ(answer->status, 200);
}

TEST_F(ServerTest, MoreRequestsThanTheServerTakesAreRefused) {
  limits_.requests = 1;
  StartServer();
  const auto busy = Connect();
  ASSERT_TRUE(busy->Send(Post("/wait", "x")));
  ASSERT_TRUE(test::Eventually([this] { return running_->handler().waiting == 1; }));
  test::TlsClient other(Options(authority_.Leaf("client", "other")));
  const auto answer = other.Ask(kGet);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 503);
}

// Connections that never shake hands, more than there is room for.
TEST_F(ServerTest, StrangersMakeRoomForWhoComes) {
  for (const bool by_sum : {true, false}) {
    limits_.connections = by_sum ? 8 : 1000;
    limits_.strangers = by_sum ? 1000 : 8;
    StartServer();
    const auto known = Connect();
    ASSERT_TRUE(known->Ask(kGet).has_value());
    auto options = Options(tls::Files());
    options.plain = true;
    std::vector<std::unique_ptr<test::TlsClient>> strangers;
    for (int i = 0; i < 30; ++i) strangers.push_back(std::make_unique<test::TlsClient>(options));
    const auto client = Connect();
    EXPECT_TRUE(client->Ask(kGet).has_value());
    EXPECT_TRUE(known->Ask(kGet).has_value());
    EXPECT_TRUE(strangers.front()->PeerCloses());
    EXPECT_LE(running_->server().connections(), 9u);
  }
}

// One connection's thousand requests in one write hold nobody else up: it takes turns.
TEST_F(ServerTest, WhoSendsManyRequestsAtOnceTakesTurns) {
  StartServer();
  const auto other = Connect();
  ASSERT_TRUE(other->Ask(kGet).has_value());
  const auto many = Connect();
  std::string burst = Post("/wait", "");
  constexpr int kRequests = 400;
  for (int i = 0; i < kRequests; ++i) burst += kGet;
  ASSERT_TRUE(many->Send(burst));
  ASSERT_TRUE(test::Eventually([this] { return running_->handler().waiting == 1; }));
  ASSERT_TRUE(other->Send("GET /order HTTP/1.1\r\nHost: a\r\n\r\n"));
  running_->handler().Release();
  ASSERT_TRUE(other->ReadAnswer().has_value());
  EXPECT_LT(running_->handler().handled_at_order, kRequests);
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

TEST_F(ServerTest, AKeyUpdateIsAnswered) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Ask(kGet).has_value());
  ASSERT_EQ(SSL_key_update(client->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->Ask(kGet).has_value());
}

TEST_F(ServerTest, AClientThatHasSaidGoodbyeGetsItsAnswer) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Send(kGet));
  client->EndSending();
  const auto answer = client->ReadAnswer();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_TRUE(client->PeerCloses());
}

TEST_F(ServerTest, ABrokenRecordEndsTheConnection) {
  StartServer();
  const auto client = Connect();
  ASSERT_TRUE(client->Ask(kGet).has_value());
  // A record of 32 bytes that does not decrypt.
  const std::string junk = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
  ASSERT_EQ(::send(SSL_get_fd(client->ssl()), junk.data(), junk.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(junk.size()));
  EXPECT_TRUE(client->PeerCloses());
  EXPECT_TRUE(Connect()->Ask(kGet).has_value());
}

TEST_F(ServerTest, ASlowHeaderIsCutWhileOthersAreAnswered) {
  limits_.header_timeout = milliseconds(300);
  StartServer();
  const auto slow = Connect();
  ASSERT_TRUE(slow->Send("GET /a HTTP/1.1\r\n"));
  const auto quick = Connect();
  // Each byte counts as progress for a naive deadline, which would never come.
  const auto trickle = [&] {
    slow->Send("X");
    const auto answer = quick->Ask(kGet);
    EXPECT_TRUE(answer.has_value() && answer->status == 200);
    return running_->Metric("postern_http_refused_total{listener=\"test\",reason=\"timeout\"}") ==
           "1";
  };
  EXPECT_TRUE(test::Eventually(trickle, std::chrono::seconds(30)));
  const auto answer = slow->ReadAnswer();
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
  EXPECT_TRUE(test::Eventually([this] { return running_->server().connections() == 0; },
                               std::chrono::seconds(30)));
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

// A connection that is closed without a word may have a request under way.
TEST_F(ServerTest, DrainAnswersOneMoreRequestOfWhatIsIdle) {
  StartServer();
  const auto idle = Connect();
  ASSERT_TRUE(idle->Ask(kGet).has_value());
  running_->server().StopAccepting();
  EXPECT_TRUE(test::Eventually([this] { return !Connect()->connected(); }));
  const auto answer = idle->Ask(kGet);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->fields.at("connection"), "close");
  EXPECT_TRUE(idle->PeerCloses());
}

// As two processes do that share the socket: one begins before the other ends.
TEST_F(ServerTest, ASocketIsHandedOverWithoutARefusal) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 64), 0);
  auto old = std::make_unique<RunningServer>(&server_files_, limits_, 2, check_, ::dup(listener));
  running_ = std::make_unique<RunningServer>(&server_files_, limits_, 2, check_, ::dup(listener));
  ASSERT_EQ(old->port(), running_->port());
  for (int i = 0; i < 20; ++i) {
    if (i == 10) old.reset();
    EXPECT_TRUE(Connect()->Ask(kGet).has_value()) << i;
  }
  ::close(listener);
}

TEST_F(ServerTest, OnlyASocketThatListensIsTakenOver) {
  StartServer();
  EXPECT_TRUE(absl::IsInvalidArgument(running_->server().Adopt(-1)));
  const int other = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_TRUE(absl::IsInvalidArgument(running_->server().Adopt(other)));
  ::close(other);
}

TEST_F(ServerTest, DrainAnswersWhatIsInFlightAndClosesWhatIsIdle) {
  limits_.linger = milliseconds(100);
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

TEST_F(ServerTest, AFullServerServesWhoIsInAndTakesOthersLater) {
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
  limits_.linger = milliseconds(100);
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
