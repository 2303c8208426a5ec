#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include "services/common/base/uuid.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::Eventually;
using testing::HasSubstr;

class FaultsTest : public EdgeFixture {
 protected:
  bool PostGives(int status) const {
    const auto answer = Post();
    return answer.has_value() && answer->status == status;
  }
};

TEST_F(FaultsTest, StuckRedisGives503AndRecovers) {
  StartAll();
  redis_->Pause();
  const auto answer = Post();  // Waits for kExchangeTimeout.
  redis_->Continue();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(Json(*answer)["code"], "queue-unavailable");
  EXPECT_EQ(answer->fields.at("retry-after"), "1");
  EXPECT_TRUE(Eventually([&] { return PostGives(202); }));
}

TEST_F(FaultsTest, NothingAcknowledgedIsLostWhenRedisIsKilled) {
  StartAll();
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<int> refused{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      auto client = Connect();
      while (!stop) {
        const auto answer = client->Ask(PostText(GoodBody()));
        if (!answer.has_value()) {
          client = Connect();
          continue;
        }
        const std::lock_guard lock(mutex);
        if (answer->status == 202) acknowledged.insert(Json(*answer)["id"]);
        if (answer->status == 503) ++refused;
      }
    });
  }
  auto count = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged.size();
  };
  EXPECT_TRUE(Eventually([&] { return count() >= 50; }));
  redis_->Kill();
  EXPECT_TRUE(Eventually([&] { return refused >= 4; }));
  ASSERT_TRUE(redis_->StartAgain().ok());
  const std::size_t before = count();
  EXPECT_TRUE(Eventually([&] { return count() >= before + 50; }));
  stop = true;
  for (std::thread& client : clients) client.join();

  std::set<std::string> queued;
  for (const v1::Envelope& envelope : QueuedEnvelopes()) {
    queued.insert(Uuid::FromBytes(envelope.id())->ToString());
  }
  for (const std::string& id : acknowledged) EXPECT_EQ(queued.count(id), 1U) << id;
}

TEST_F(FaultsTest, FullRedisGives503AndRecovers) {
  StartAll();
  RedisCommand({"CONFIG", "SET", "maxmemory", "1"});
  const auto answer = Post();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(Json(*answer)["code"], "queue-unavailable");
  EXPECT_TRUE(QueuedEnvelopes().empty());
  RedisCommand({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(Post()->status, 202);
}

TEST_F(FaultsTest, UnsafeRedisIsRefusedAtStart) {
  StartRedis({{"maxmemory-policy", "allkeys-lru"}});
  const absl::Status started = StartEdge(MakeSettings());
  EXPECT_EQ(started.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(started.message()), HasSubstr("maxmemory"));
  EXPECT_THAT(std::string(started.message()), HasSubstr("noeviction"));

  Settings allowing = MakeSettings();
  allowing.allow_unsafe_queue = true;
  ASSERT_TRUE(StartEdge(allowing).ok());
  EXPECT_TRUE(Eventually([&] { return Ready() && PostGives(202); }));
}

TEST_F(FaultsTest, RedisTurnedUnsafeGetsNoMoreMessages) {
  StartAll();
  ASSERT_EQ(Post()->status, 202);
  RedisCommand({"CONFIG", "SET", "appendfsync", "everysec"});
  EXPECT_TRUE(Eventually([&] { return PostGives(503); }));
  EXPECT_FALSE(Ready());
  RedisCommand({"CONFIG", "SET", "appendfsync", "always"});
  EXPECT_TRUE(Eventually([&] { return PostGives(202); }));
}

// Redis would execute what stands in a transaction all the same, and refuse only its end.
TEST_F(FaultsTest, AnAccountWithoutTransactionsGetsNoMessages) {
  StartAll();
  ASSERT_EQ(Post()->status, 202);
  RedisCommand({"ACL", "SETUSER", "edge", "-multi", "-exec"});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(PostGives(503)) << i;
  EXPECT_TRUE(Eventually([&] { return !Ready(); }));
  EXPECT_LE(QueuedEnvelopes().size(), 2U) << "the one by which it was found out";
  RedisCommand({"ACL", "SETUSER", "edge", "+multi", "+exec"});
  EXPECT_TRUE(Eventually([&] { return PostGives(202); }));
}

TEST_F(FaultsTest, RedisAwayAtStartIsWaitedFor) {
  StartRedis({});
  redis_->Stop();
  ASSERT_TRUE(StartEdge(MakeSettings()).ok());
  EXPECT_TRUE(Eventually([&] { return PostGives(503); }));
  EXPECT_FALSE(Ready());
  ASSERT_TRUE(redis_->StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return PostGives(202); }));
}

TEST_F(FaultsTest, GoesOnAcceptingWithTheServerAway) {
  StartAll();
  ASSERT_EQ(Post()->status, 202);
  ASSERT_TRUE(Eventually([&] { return server_->registrations().size() == 1; }));
  server_->Stop();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Eventually([&] { return PostGives(202); }));
  EXPECT_TRUE(Ready()) << "a server that is away is no reason to stop accepting";
  const auto client = Connect();
  const auto status = client->Ask(GetText("/api/v1/messages/" + Uuid::Random().ToString()));
  EXPECT_EQ(status->status, 503);
  EXPECT_EQ(Json(*status)["code"], "register-unavailable");
  server_->Start();
  EXPECT_TRUE(Eventually([&] { return server_->registrations().size() == 21; }));
}

TEST_F(FaultsTest, EdgeStartedWithoutServerKnowsItsClientsAndIsNotReady) {
  StartAll();
  edge_->Stop();
  server_->Stop();
  ASSERT_TRUE(StartEdge(MakeSettings()).ok());
  const auto answer = Post();
  ASSERT_TRUE(answer.has_value()) << "the kept directory lets the client in";
  EXPECT_EQ(answer->status, 503);
  EXPECT_FALSE(Ready());
  server_->Start();
  EXPECT_TRUE(Eventually([&] { return PostGives(202); }));
}

TEST_F(FaultsTest, WhoeverIsNotARegisteredClientIsRefused) {
  StartAll();
  const auto unknown = ClientsCa().Leaf("client", "nobody");
  EXPECT_FALSE(Connect(unknown)->Ask(PostText(GoodBody())).has_value());
  const auto renewed = ClientsCa().Leaf("client", "acme");
  EXPECT_FALSE(Connect(renewed)->Ask(PostText(GoodBody())).has_value()) << "another fingerprint";
  const auto mesh = ServicesCa().Leaf("worker", "worker-1");
  EXPECT_FALSE(Connect(mesh)->Ask(PostText(GoodBody())).has_value());
  const auto role = ClientsCa().Leaf("operator", "acme");
  Register("other", role);
  EXPECT_FALSE(Connect(role)->Ask(PostText(GoodBody())).has_value());
  EXPECT_FALSE(Connect(tls::Files())->Ask(PostText(GoodBody())).has_value());
  EXPECT_TRUE(QueuedEnvelopes().empty());
  EXPECT_EQ(Post()->status, 202);
}

TEST_F(FaultsTest, SuspensionAndRemovalCutOpenConnections) {
  StartAll();
  const auto other_files = ClientsCa().Leaf("client", "other");
  Register("other", other_files);
  ASSERT_TRUE(Eventually([&] {
    const auto answer = Connect(other_files)->Ask(PostText(GoodBody()));
    return answer.has_value() && answer->status == 202;
  }));
  const auto other = Connect(other_files);
  const auto suspended = Connect();
  ASSERT_EQ(suspended->Ask(PostText(GoodBody()))->status, 202);
  Register("acme", acme_files_, v1::CLIENT_STATE_SUSPENDED);
  EXPECT_TRUE(suspended->PeerCloses()) << "without having asked for anything";
  const auto told = Connect();
  const auto answer = told->Ask(PostText(GoodBody()));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 403);
  EXPECT_EQ(Json(*answer)["code"], "client-suspended");
  EXPECT_TRUE(told->PeerCloses());

  Register("acme", acme_files_);
  ASSERT_TRUE(Eventually([&] { return PostGives(202); }));
  const auto removed = Connect();
  ASSERT_EQ(removed->Ask(PostText(GoodBody()))->status, 202);
  Register("acme", ClientsCa().Leaf("client", "acme"));
  EXPECT_TRUE(removed->PeerCloses());
  EXPECT_FALSE(Connect()->Ask(PostText(GoodBody())).has_value());
  EXPECT_EQ(other->Ask(PostText(GoodBody()))->status, 202) << "another client notices nothing";
}

TEST_F(FaultsTest, StopAnswersWhatIsInHandAndFlushesRegistrations) {
  StartAll();
  server_->HoldRegistrations(true);
  redis_->Pause();
  std::optional<postern::test::RawAnswer> answer;
  const auto client = Connect();
  ASSERT_TRUE(client->connected());
  std::thread asking([&] { answer = client->Ask(PostText(GoodBody())); });
  ASSERT_TRUE(Eventually([&] {
    return edge_->metrics().Serialize().find("postern_enqueue_waiting 1") != std::string::npos;
  }));
  std::thread stopping([&] { edge_->Stop(); });
  ASSERT_TRUE(Eventually([&] { return !Connect()->connected(); })) << "accepts no more";
  redis_->Continue();
  asking.join();
  server_->HoldRegistrations(false);
  stopping.join();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(server_->registrations().size(), 1U);
}

}  // namespace
}  // namespace postern::edge::test
