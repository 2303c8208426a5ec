#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/common/redis/queue_layout.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::Eventually;
using postern::test::RawAnswer;
using postern::test::TlsClient;

constexpr std::int64_t kDayMillis = 24 * 3600 * 1000;

class IdempotencyTest : public EdgeFixture {
 protected:
  void StartWithBounds(std::int64_t per_client, std::int64_t per_shard) {
    StartRedis({});
    Settings settings = MakeSettings();
    settings.idempotency_keys_per_client = per_client;
    settings.idempotency_keys_per_shard = per_shard;
    ASSERT_TRUE(StartEdge(settings).ok());
    ASSERT_TRUE(Eventually([&] { return Ready(); }));
  }

  static std::string Keyed(const std::string& key, const std::string& body) {
    return PostText(body, "Content-Type: application/json\r\nIdempotency-Key: " + key + "\r\n");
  }

  RawAnswer PostKeyed(const std::string& key, const std::string& text = "hello") const {
    return Connect()->Ask(Keyed(key, GoodBody(text))).value();
  }

  // An answer that replays `first`.
  static void ExpectReplay(const RawAnswer& answer, const RawAnswer& first) {
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.body, first.body);
    EXPECT_EQ(answer.fields.at("location"), first.fields.at("location"));
    EXPECT_EQ(answer.fields.at("idempotent-replayed"), "true");
  }

  static std::string ShardKey(const std::string& client, const std::string& kind) {
    return "postern:{" + std::to_string(redis::ShardOf(client)) + "}:" + kind;
  }
};

TEST_F(IdempotencyTest, TheSameKeyAndMessageGiveTheFirstAnswer) {
  StartAll();
  const RawAnswer first = PostKeyed("order-42");
  ASSERT_EQ(first.status, 202) << first.body;
  EXPECT_EQ(first.fields.count("idempotent-replayed"), 0U);
  ExpectReplay(PostKeyed("order-42"), first);
  ExpectReplay(PostKeyed("\"order-42\""), first);
  const std::string spaced =
      R"({ "metadata" : {"client_ref":"ref-1"}, "message_body":"hel\u006co",
           "sender_number":"+14155550123" })";
  ExpectReplay(*Connect()->Ask(Keyed("order-42", spaced)), first);

  EXPECT_EQ(QueuedEnvelopes().size(), 1U);
  ASSERT_TRUE(Eventually([&] { return server_->registrations().size() == 1; }));
  EXPECT_EQ(PostKeyed("order-43").fields.count("idempotent-replayed"), 0U);
  EXPECT_EQ(QueuedEnvelopes().size(), 2U);
}

TEST_F(IdempotencyTest, AnotherMessageWithTheSameKeyIsRefused) {
  StartAll();
  const RawAnswer first = PostKeyed("order-42");
  ASSERT_EQ(first.status, 202);
  const RawAnswer other = PostKeyed("order-42", "hello again");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(Json(other)["code"], "idempotency-key-reused");
  EXPECT_EQ(other.body.find("order-42"), std::string::npos);
  EXPECT_EQ(QueuedEnvelopes().size(), 1U);
  ExpectReplay(PostKeyed("order-42"), first);
}

TEST_F(IdempotencyTest, AKeyBelongsToItsClient) {
  const auto other_files = ClientsCa().Leaf("client", "other");
  Register("other", other_files);
  StartAll();
  const RawAnswer first = PostKeyed("order-42");
  const auto second = Connect(other_files)->Ask(Keyed("order-42", GoodBody("something else")));
  EXPECT_EQ(second->status, 202);
  EXPECT_NE(second->body, first.body);
  EXPECT_EQ(QueuedEnvelopes().size(), 2U);
}

TEST_F(IdempotencyTest, DuplicatesThatComeTogetherMakeOneMessage) {
  StartAll();
  constexpr int kClients = 8;
  constexpr int kKeys = 20;
  std::vector<std::vector<std::string>> bodies(kClients);
  std::vector<std::thread> threads;
  for (auto& mine : bodies) {
    threads.emplace_back([&] {
      const auto client = Connect();
      for (int key = 0; key < kKeys; ++key) {
        const std::string text = std::to_string(key);
        mine.push_back(client->Ask(Keyed("key-" + text, GoodBody(text)))->body);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : bodies) EXPECT_EQ(mine, bodies.front());
  EXPECT_EQ(std::set<std::string>(bodies.front().begin(), bodies.front().end()).size(),
            static_cast<std::size_t>(kKeys));
  EXPECT_EQ(QueuedEnvelopes().size(), static_cast<std::size_t>(kKeys));
}

TEST_F(IdempotencyTest, HoldsOverEdgesAndRestartsOfEverything) {
  StartAll();
  const RawAnswer first = PostKeyed("order-42");
  ASSERT_EQ(first.status, 202);
  Application second_edge(MakeSettings());
  ASSERT_TRUE(second_edge.Start().ok());
  TlsClient::Options options;
  options.port = second_edge.port();
  options.files = acme_files_;
  options.files.trust = ServicesCa().ca_file();
  std::optional<RawAnswer> elsewhere;
  ASSERT_TRUE(Eventually([&] {
    elsewhere = TlsClient(options).Ask(Keyed("order-42", GoodBody()));
    return elsewhere.has_value() && elsewhere->status == 202;
  }));
  ExpectReplay(*elsewhere, first);
  second_edge.Stop();

  std::optional<RawAnswer> answer;
  const auto answered = [&] {
    answer = Connect()->Ask(Keyed("order-42", GoodBody()));
    return answer.has_value() && answer->status == 202;
  };
  redis_->Kill();
  ASSERT_TRUE(redis_->StartAgain().ok());
  ASSERT_TRUE(Eventually(answered));
  ExpectReplay(*answer, first);
  redis_->Stop();
  ASSERT_TRUE(redis_->StartAgain().ok());
  ASSERT_TRUE(Eventually(answered));
  ExpectReplay(*answer, first);
  ASSERT_TRUE(StartEdge(MakeSettings()).ok());
  ASSERT_TRUE(Eventually([&] { return Ready(); }));
  ASSERT_TRUE(Eventually(answered));
  ExpectReplay(*answer, first);
  EXPECT_EQ(QueuedEnvelopes().size(), 1U);
}

TEST_F(IdempotencyTest, AScriptThatRedisForgotIsSentAgain) {
  StartAll();
  const RawAnswer first = PostKeyed("order-42");
  const auto client = Connect();
  for (int i = 0; i < 3; ++i) {
    RedisCommand({"SCRIPT", "FLUSH", "SYNC"});
    // The script that counts and the one that does not.
    for (const std::string part : {"a", "b", "c"}) {
      const std::string key = "key-" + std::to_string(i) + part;
      EXPECT_EQ(client->Ask(Keyed(key, GoodBody()))->status, 202);
    }
    ExpectReplay(*client->Ask(Keyed("order-42", GoodBody())), first);
  }
  EXPECT_EQ(QueuedEnvelopes().size(), 10U);
}

TEST_F(IdempotencyTest, ARefusedRequestDoesNotUseTheKeyUp) {
  StartAll();
  const auto client = Connect();
  EXPECT_EQ(client->Ask(Keyed("order-42", R"({"sender_number":"x","message_body":""})"))->status,
            422);
  RedisCommand({"CONFIG", "SET", "maxmemory", "1"});
  const auto full = client->Ask(Keyed("order-42", GoodBody()));
  EXPECT_EQ(full->status, 503);
  EXPECT_EQ(Json(*full)["code"], "queue-unavailable");
  RedisCommand({"CONFIG", "SET", "maxmemory", "0"});
  const auto accepted = client->Ask(Keyed("order-42", GoodBody()));
  EXPECT_EQ(accepted->status, 202);
  EXPECT_EQ(accepted->fields.count("idempotent-replayed"), 0U);
  EXPECT_EQ(QueuedEnvelopes().size(), 1U);
}

TEST_F(IdempotencyTest, KeysOfOneClientAreBounded) {
  StartWithBounds(3, 100);
  const RawAnswer first = PostKeyed("key-1");
  EXPECT_EQ(PostKeyed("key-2").status, 202);
  EXPECT_EQ(PostKeyed("key-3").status, 202);
  const RawAnswer refused = PostKeyed("key-4");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Json(refused)["code"], "idempotency-keys-exhausted");
  const int wait_s = std::stoi(refused.fields.at("retry-after"));
  EXPECT_GT(wait_s, 24 * 3600 - 1);
  EXPECT_LE(wait_s, 25 * 3600);
  ExpectReplay(PostKeyed("key-1"), first);
  EXPECT_EQ(Post()->status, 202) << "messages without a key go on";
  EXPECT_EQ(QueuedEnvelopes().size(), 4U);

  // The hour in which they were set is long gone.
  const std::string counted = ShardKey("acme", "keys:acme");
  const std::int64_t hour = std::chrono::duration_cast<std::chrono::hours>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count();
  RedisCommand({"DEL", counted});
  RedisCommand({"HSET", counted, std::to_string(hour - 25), "2", std::to_string(hour - 24), "1"});
  EXPECT_EQ(PostKeyed("key-4").status, 202);
  EXPECT_EQ(PostKeyed("key-5").status, 202);
  EXPECT_EQ(PostKeyed("key-6").status, 429) << "one of the hour before counts";
}

TEST_F(IdempotencyTest, ManyKeysAreCountedInBlocks) {
  StartWithBounds(6'400, 6'400);
  const auto client = Connect();
  for (int i = 0; i < 65; ++i) {
    ASSERT_EQ(client->Ask(Keyed("key-" + std::to_string(i), GoodBody()))->status, 202);
  }
  const auto reserved = [&](const std::string& key) {
    const redis::Reply values = RedisReply({"HVALS", key});
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < values.raw().elements; ++i) {
      sum += std::stoll(values.raw().element[i]->str);
    }
    return sum;
  };
  EXPECT_EQ(reserved(ShardKey("acme", "keys")), 127) << "blocks of 1, 2, 4 … 64";
  EXPECT_EQ(reserved(ShardKey("acme", "keys:acme")), 127);
  EXPECT_EQ(client->Ask(Keyed("key-1", GoodBody()))->status, 202) << "a replay takes no room";

  // Another edge has taken the rest: what is left of the block may be used, and no other is there.
  const auto hour = std::chrono::duration_cast<std::chrono::hours>(
      std::chrono::system_clock::now().time_since_epoch());
  RedisCommand(
      {"HINCRBY", ShardKey("acme", "keys:acme"), std::to_string(hour.count() - 1), "6273"});
  for (int i = 65; i < 127; ++i) {
    ASSERT_EQ(client->Ask(Keyed("key-" + std::to_string(i), GoodBody()))->status, 202) << i;
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client->Ask(Keyed("one-more", GoodBody()))->status, 429) << "again and again";
  }
  EXPECT_EQ(client->Ask(Keyed("key-2", GoodBody()))->status, 202) << "replays go on";
  RedisCommand({"DEL", ShardKey("acme", "keys:acme")});
  EXPECT_EQ(client->Ask(Keyed("one-more", GoodBody()))->status, 202) << "there is room again";
  EXPECT_EQ(reserved(ShardKey("acme", "keys:acme")), 1) << "who was refused takes little";
}

TEST_F(IdempotencyTest, KeysOfAShardAreBounded) {
  // A client that shares the shard of `acme`.
  std::string neighbour = "neighbour-0";
  for (int i = 1; redis::ShardOf(neighbour) != redis::ShardOf("acme"); ++i) {
    neighbour = "neighbour-" + std::to_string(i);
  }
  const auto files = ClientsCa().Leaf("client", neighbour);
  Register(neighbour, files);
  StartWithBounds(100, 2);
  EXPECT_EQ(PostKeyed("key-1").status, 202);
  EXPECT_EQ(PostKeyed("key-2").status, 202);
  const auto refused = Connect(files)->Ask(Keyed("key-1", GoodBody()));
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(Json(*refused)["code"], "idempotency-full");
  EXPECT_GT(std::stoi(refused->fields.at("retry-after")), 0);
  EXPECT_EQ(QueuedEnvelopes().size(), 2U);
}

TEST_F(IdempotencyTest, KeysLiveADayAndSayNothingOfTheClientsKey) {
  StartAll();
  const std::string key = "a-telling-key";
  ASSERT_EQ(PostKeyed(key).status, 202);
  const redis::Reply names =
      RedisReply({"KEYS", "postern:{" + std::to_string(redis::ShardOf("acme")) + "}:idem:*"});
  ASSERT_EQ(names.raw().elements, 1U);
  const std::string name(names.raw().element[0]->str, names.raw().element[0]->len);
  EXPECT_EQ(name.find(key), std::string::npos);
  const std::int64_t left_ms = RedisReply({"PTTL", name}).integer();
  EXPECT_GT(left_ms, kDayMillis - 60'000);
  EXPECT_LE(left_ms, kDayMillis);
}

TEST_F(IdempotencyTest, BadKeysAreRefused) {
  StartAll();
  const auto client = Connect();
  const std::vector<std::string> bad{"",
                                     std::string(256, 'k'),
                                     "\"" + std::string(256, 'k') + "\"",
                                     "\"\"",
                                     "two words",
                                     "\"two words\"",
                                     "\"open",
                                     "\"a\"b",
                                     "\"a\";p=1",
                                     "a,b",
                                     "a\\b",
                                     "\"a\\b\"",
                                     "caf\xc3\xa9"};
  for (const std::string& key : bad) {
    const auto answer = client->Ask(Keyed(key, GoodBody()));
    ASSERT_TRUE(answer.has_value()) << key;
    EXPECT_EQ(answer->status, 400) << key;
    EXPECT_EQ(Json(*answer)["code"], "invalid-idempotency-key") << key;
  }
  const auto twice = client->Ask(
      PostText(GoodBody(),
               "Content-Type: application/json\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n"));
  EXPECT_EQ(twice->status, 400);
  EXPECT_EQ(Json(*twice)["code"], "invalid-idempotency-key");
  EXPECT_TRUE(QueuedEnvelopes().empty());
  EXPECT_EQ(client->Ask(Keyed(std::string(255, 'k'), GoodBody()))->status, 202);
  EXPECT_EQ(client->Ask(Keyed(R"("say \"so\" \\")", GoodBody()))->status, 400)
      << "a blank is no visible character";
  EXPECT_EQ(client->Ask(Keyed(R"("say:\"so\"\\")", GoodBody()))->status, 202);
}

}  // namespace
}  // namespace postern::edge::test
