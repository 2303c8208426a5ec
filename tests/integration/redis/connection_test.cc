#include "services/common/redis/connection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/redis/safety.h"
#include "services/common/tls/context_source.h"
#include "tests/support/redis_server.h"
#include "tests/support/test_certificates.h"

namespace postern::redis {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace std::string_literals;
using Replies = std::vector<Reply>;

class RedisTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new test::TestCertificates();
    tls_ = *tls::ContextSource::Client(certificates_->Leaf("edge", "edge-1"));
  }
  static void TearDownTestSuite() {
    tls_.reset();
    delete certificates_;
  }

  void StartRedis(std::vector<std::pair<std::string, std::string>> overrides = {}) {
    auto server =
        test::RedisServer::Start(certificates_->Leaf("server", "redis"), std::move(overrides));
    ASSERT_TRUE(server.ok()) << server.status();
    redis_ = std::move(*server);
  }

  Settings SettingsFor(const std::string& user) { return redis_->SettingsFor(user, tls_); }

  // Runs one operation to its end.
  template <typename Result>
  Result Await(asio::awaitable<Result> operation) {
    std::optional<Result> result;
    io_.restart();
    asio::co_spawn(io_, std::move(operation), [&](std::exception_ptr error, Result value) {
      if (error) std::rethrow_exception(error);
      result.emplace(std::move(value));
    });
    while (!result.has_value() && io_.run_one() != 0) {
    }
    return std::move(*result);
  }

  std::unique_ptr<Connection> Connect(const std::string& user) {
    auto connection = std::make_unique<Connection>(io_.get_executor());
    const Settings settings = SettingsFor(user);
    const absl::Status status = Await(connection->Connect(settings));
    EXPECT_TRUE(status.ok()) << status;
    return connection;
  }

  absl::StatusOr<Replies> Exchange(Connection& connection, std::string wire, std::size_t count,
                                   std::chrono::milliseconds timeout = 5s) {
    return Await(connection.Exchange(std::move(wire), count, timeout));
  }

  template <typename... Arguments>
  Reply Command(Connection& connection, const Arguments&... arguments) {
    std::string wire;
    AppendCommand(wire, arguments...);
    auto replies = Exchange(connection, std::move(wire), 1);
    EXPECT_TRUE(replies.ok()) << replies.status();
    return replies.ok() ? std::move(replies->front()) : Reply(nullptr);
  }

  static inline test::TestCertificates* certificates_ = nullptr;
  static inline std::shared_ptr<tls::ContextSource> tls_;
  asio::io_context io_{1};
  std::unique_ptr<test::RedisServer> redis_;
};

TEST_F(RedisTest, CarriesBinaryContent) {
  StartRedis();
  auto edge = Connect("edge");
  auto server = Connect("server");
  const std::string content = "a\0\r\nb"s;
  const std::string id(Command(*edge, "XADD", StreamKey(3), "*", "e", content).text());
  ASSERT_FALSE(id.empty());
  const Reply range = Command(*server, "XRANGE", StreamKey(3), id, id);
  ASSERT_EQ(range.raw().elements, 1U);
  const redisReply& fields = *range.raw().element[0]->element[1];
  EXPECT_EQ(std::string(fields.element[1]->str, fields.element[1]->len), content);
}

TEST_F(RedisTest, MatchesRepliesOfLargePipelinesInOrder) {
  StartRedis({{"appendfsync", "no"}});
  auto admin = Connect("admin");
  constexpr std::int64_t kCommands = 20'000;
  const std::string piece(600, 'x');
  std::string wire;
  for (std::int64_t i = 0; i < kCommands; ++i) AppendCommand(wire, "APPEND", "key", piece);
  auto replies = Exchange(*admin, std::move(wire), kCommands);
  ASSERT_TRUE(replies.ok()) << replies.status();
  for (std::int64_t i = 0; i < kCommands; ++i) {
    // The length so far.
    ASSERT_EQ((*replies)[static_cast<std::size_t>(i)].integer(), 600 * (i + 1));
  }
}

TEST_F(RedisTest, TakesLargeReplies) {
  StartRedis({{"appendfsync", "no"}});
  auto edge = Connect("edge");
  auto server = Connect("server");
  const std::string content(500'000, 'x');
  std::string wire;
  for (int i = 0; i < 20; ++i) AppendCommand(wire, "XADD", StreamKey(0), "*", "e", content);
  ASSERT_TRUE(Exchange(*edge, std::move(wire), 20).ok());
  const Reply range = Command(*server, "XRANGE", StreamKey(0), "-", "+");
  ASSERT_EQ(range.raw().elements, 20U);
  EXPECT_EQ(range.raw().element[19]->element[1]->element[1]->len, content.size());
}

TEST_F(RedisTest, ErrorRepliesAreReplies) {
  StartRedis();
  auto worker = Connect("worker");
  std::string wire;
  AppendCommand(wire, "XADD", StreamKey(0), "*", "e", "x");
  AppendCommand(wire, "XACK", StreamKey(0), "workers", "1-1");
  auto replies = Exchange(*worker, std::move(wire), 2);
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_EQ((*replies)[0].ToStatus().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ((*replies)[1].integer(), 0);
  EXPECT_TRUE(worker->usable());
}

TEST_F(RedisTest, TimeoutBreaksTheConnection) {
  StartRedis();
  auto admin = Connect("admin");
  std::string wire;
  AppendCommand(wire, "BLPOP", "nothing", "5");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Exchange(*admin, std::move(wire), 1, 100ms).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_FALSE(admin->usable());
  std::string ping;
  AppendCommand(ping, "PING");
  EXPECT_EQ(Exchange(*admin, std::move(ping), 1).status().code(), absl::StatusCode::kUnavailable);
}

// A longer exchange before must not lengthen the next one's time.
TEST_F(RedisTest, TimeoutIsEachExchangesOwn) {
  StartRedis();
  auto admin = Connect("admin");
  std::string ping;
  AppendCommand(ping, "PING");
  ASSERT_TRUE(Exchange(*admin, std::move(ping), 1, 60s).ok());
  std::string wire;
  AppendCommand(wire, "BLPOP", "nothing", "5");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Exchange(*admin, std::move(wire), 1, 50ms).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST_F(RedisTest, PausedServerIsATimeoutAtConnectToo) {
  StartRedis();
  redis_->Pause();
  Connection connection(io_.get_executor());
  Settings settings = SettingsFor("edge");
  settings.connect_timeout = 100ms;
  EXPECT_EQ(Await(connection.Connect(settings)).code(), absl::StatusCode::kDeadlineExceeded);
  redis_->Continue();
}

TEST_F(RedisTest, CloseEndsARunningExchange) {
  StartRedis();
  auto admin = Connect("admin");
  std::string wire;
  AppendCommand(wire, "BLPOP", "nothing", "5");
  asio::post(io_, [&] { admin->Close(); });
  EXPECT_EQ(Exchange(*admin, std::move(wire), 1).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisTest, MayGoWhileAnExchangeRuns) {
  StartRedis();
  auto admin = Connect("admin");
  std::string wire;
  AppendCommand(wire, "BLPOP", "nothing", "5");
  asio::post(io_, [&] { admin.reset(); });
  EXPECT_EQ(Exchange(*admin, std::move(wire), 1).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisTest, EndedServerBreaksTheConnection) {
  StartRedis();
  auto edge = Connect("edge");
  redis_->Kill();
  std::string wire;
  AppendCommand(wire, "PING");
  EXPECT_EQ(Exchange(*edge, std::move(wire), 1).status().code(), absl::StatusCode::kUnavailable);
  Connection next(io_.get_executor());
  const Settings settings = SettingsFor("edge");
  EXPECT_EQ(Await(next.Connect(settings)).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisTest, RefusedPasswordIsPermissionDenied) {
  StartRedis();
  Connection connection(io_.get_executor());
  Settings settings = SettingsFor("edge");
  settings.password = "wrong";
  EXPECT_EQ(Await(connection.Connect(settings)).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(connection.usable());
}

TEST_F(RedisTest, NobodyWithoutAnAccountGetsIn) {
  StartRedis();
  Connection connection(io_.get_executor());
  Settings settings = SettingsFor("edge");
  settings.user.clear();
  settings.password.clear();
  EXPECT_EQ(Await(connection.Connect(settings)).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RedisTest, ServerOfAnotherAuthorityIsRefused) {
  StartRedis();
  test::TestCertificates other;
  Connection connection(io_.get_executor());
  Settings settings = SettingsFor("edge");
  settings.tls = *tls::ContextSource::Client(other.Leaf("edge", "edge-1"));
  EXPECT_EQ(Await(connection.Connect(settings)).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisTest, HostNameIsVerified) {
  StartRedis();
  Connection connection(io_.get_executor());
  Settings settings = SettingsFor("edge");
  settings.host = "127.0.0.2";
  EXPECT_EQ(Await(connection.Connect(settings)).code(), absl::StatusCode::kUnavailable);
  Connection by_name(io_.get_executor());
  settings.host = "localhost";
  EXPECT_TRUE(Await(by_name.Connect(settings)).ok());
}

// With a restricted default user Redis 7.0 silently drops transactions when it replays its AOF;
// XREADGROUP with COUNT above 1 is one of them. Then all entries would be delivered again as new
// ones.
TEST_F(RedisTest, RestartKeepsEntriesAndWhoHoldsThem) {
  StartRedis();
  auto edge = Connect("edge");
  auto worker = Connect("worker");
  EXPECT_FALSE(
      Command(*worker, "XGROUP", "CREATE", StreamKey(0), "workers", "0", "MKSTREAM").IsError());
  for (int i = 0; i < 4; ++i) Command(*edge, "XADD", StreamKey(0), "*", "e", "x");
  const Reply read = Command(*worker, "XREADGROUP", "GROUP", "workers", "w", "COUNT", "3",
                             "STREAMS", StreamKey(0), ">");
  ASSERT_EQ(read.raw().elements, 1U);
  redis_->Stop();
  ASSERT_TRUE(redis_->StartAgain().ok());
  edge = Connect("edge");
  worker = Connect("worker");
  EXPECT_EQ(Command(*edge, "XLEN", StreamKey(0)).integer(), 4);
  const Reply pending = Command(*worker, "XPENDING", StreamKey(0), "workers");
  EXPECT_EQ(pending.raw().element[0]->integer, 3);
}

TEST_F(RedisTest, ProductionSettingsAreSafeForEveryProgram) {
  StartRedis();
  for (const std::string user : {"edge", "worker", "server"}) {
    auto connection = Connect(user);
    const auto faults = Await(UnsafeSettings(*connection));
    ASSERT_TRUE(faults.ok()) << faults.status();
    EXPECT_TRUE(faults->empty()) << user << ": " << faults->front();
  }
}

TEST_F(RedisTest, UnsafeSettingsAreNamed) {
  StartRedis({{"appendonly", "no"},
              {"appendfsync", "everysec"},
              {"no-appendfsync-on-rewrite", "yes"},
              {"maxmemory-policy", "allkeys-lru"}});
  const std::vector<std::string> expected{
      "aof_enabled is 0: set appendonly to yes",
      "maxmemory_policy is allkeys-lru: set maxmemory-policy to noeviction",
      "appendfsync is everysec: set it to always",
      "no-appendfsync-on-rewrite is yes: set it to no"};
  for (const std::string user : {"edge", "worker", "server"}) {
    auto connection = Connect(user);
    const auto faults = Await(UnsafeSettings(*connection));
    ASSERT_TRUE(faults.ok()) << faults.status();
    EXPECT_EQ(*faults, expected) << user;
  }
}

// It says that it has no append-only file while it reads that file.
TEST_F(RedisTest, SettingsAreNotJudgedWhileRedisLoadsItsData) {
  // Microseconds for each command that it loads.
  StartRedis({{"key-load-delay", "100"}});
  auto admin = Connect("admin");
  constexpr std::size_t kCommands = 20'000;
  std::string wire;
  for (std::size_t i = 0; i < kCommands; ++i) AppendCommand(wire, "INCR", "key");
  ASSERT_TRUE(Exchange(*admin, std::move(wire), kCommands).ok());
  admin->Close();
  redis_->Kill();
  std::atomic<bool> started{false};
  std::thread starting([&] {
    EXPECT_TRUE(redis_->StartAgain().ok());
    started = true;
  });
  bool was_loading = false;
  while (!started) {
    Connection edge(io_.get_executor());
    const Settings settings = SettingsFor("edge");
    if (!Await(edge.Connect(settings)).ok()) continue;
    const auto faults = Await(UnsafeSettings(edge));
    was_loading |= faults.status().message().find("loading") != std::string::npos;
    if (faults.ok()) {
      EXPECT_TRUE(faults->empty()) << faults->front();
    }
    edge.Close();
  }
  starting.join();
  EXPECT_TRUE(was_loading);
}

TEST_F(RedisTest, RestrictedDefaultUserIsUnsafe) {
  StartRedis();
  auto admin = Connect("admin");
  auto edge = Connect("edge");
  // Each of them loses transactions when Redis loads its data: measured, see redis/redis#14541.
  for (const std::string rights : {"-@all", "resetkeys", "-xclaim"}) {
    ASSERT_EQ(Command(*admin, "ACL", "SETUSER", "default", "reset", "~*", "&*", "+@all").text(),
              "OK");
    ASSERT_EQ(Command(*admin, "ACL", "SETUSER", "default", rights).text(), "OK");
    const auto faults = Await(UnsafeSettings(*edge));
    ASSERT_TRUE(faults.ok()) << faults.status();
    ASSERT_EQ(faults->size(), 1U) << rights;
    EXPECT_NE(faults->front().find("the user default is restricted"), std::string::npos);
    EXPECT_NE(faults->front().find("user default off ~* &* +@all"), std::string::npos);
  }
}

TEST_F(RedisTest, WhatMayNotBeReadIsNotTrusted) {
  StartRedis();
  auto admin = Connect("admin");
  auto edge = Connect("edge");
  ASSERT_EQ(Command(*admin, "ACL", "SETUSER", "edge", "-config|get", "-acl|dryrun").text(), "OK");
  const auto faults = Await(UnsafeSettings(*edge));
  ASSERT_TRUE(faults.ok()) << faults.status();
  ASSERT_EQ(faults->size(), 3U);
  EXPECT_NE((*faults)[0].find("appendfsync cannot be read"), std::string::npos);
  EXPECT_NE((*faults)[2].find("+acl|dryrun"), std::string::npos);
}

}  // namespace
}  // namespace postern::redis
