#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using nlohmann::json;
using postern::test::Eventually;
using postern::test::RawAnswer;

class BatchTest : public EdgeFixture {
 protected:
  static json Message(const std::string& text) { return json::parse(GoodBody(text)); }

  static json BatchOf(std::size_t count) {
    json batch;
    batch["messages"] = json::array();
    for (std::size_t i = 0; i < count; ++i) {
      batch["messages"].push_back(Message("message " + std::to_string(i)));
    }
    return batch;
  }

  static std::string BatchText(const std::string& body, const std::string& more_fields =
                                                            "Content-Type: application/json\r\n") {
    return "POST /api/v1/messages:batch HTTP/1.1\r\nHost: localhost\r\n" + more_fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  RawAnswer Send(const json& batch) const {
    return Connect()->Ask(BatchText(batch.dump())).value();
  }
};

TEST_F(BatchTest, AcceptsAThousandInOneRoundTrip) {
  StartAll();
  const RawAnswer answer = Send(BatchOf(1'000));
  ASSERT_EQ(answer.status, 202) << answer.body;
  const json body = Json(answer);
  EXPECT_EQ(body["accepted"], 1'000);
  EXPECT_EQ(body["refused"], 0);
  ASSERT_EQ(body["outcomes"].size(), 1'000U);
  const auto envelopes = QueuedEnvelopes();
  ASSERT_EQ(envelopes.size(), 1'000U);
  for (std::size_t i = 0; i < envelopes.size(); ++i) {
    const json& outcome = body["outcomes"][i];
    ASSERT_EQ(outcome["status"], 202);
    ASSERT_EQ(outcome["message"]["status"], "queued");
    ASSERT_EQ(outcome["message"]["id"], Uuid::FromBytes(envelopes[i].id())->ToString())
        << "in their order";
  }
  EXPECT_TRUE(Eventually([&] { return server_->registrations().size() == 1'000; }));

  postern::test::TlsClient::Options options;
  options.port = edge_->ops_port();
  options.plain = true;
  const auto metrics = postern::test::TlsClient(options).Ask(GetText("/metrics"));
  EXPECT_THAT(metrics->body, testing::HasSubstr("postern_enqueue_batch_messages_count 1\n"))
      << "one pipeline";
}

TEST_F(BatchTest, BadMessagesAmongGoodOnesAreToldApart) {
  StartAll();
  json batch = BatchOf(5);
  batch["messages"][1]["sender_number"] = "12";
  batch["messages"][1]["message_body"] = "";
  batch["messages"][2] = "no object";
  batch["messages"][3]["metadata"]["a/b"] = nullptr;
  const RawAnswer answer = Send(batch);
  ASSERT_EQ(answer.status, 207) << answer.body;
  EXPECT_EQ(answer.fields.at("content-type"), "application/json");
  const json body = Json(answer);
  EXPECT_EQ(body["accepted"], 2);
  EXPECT_EQ(body["refused"], 3);
  const json& outcomes = body["outcomes"];
  EXPECT_EQ(outcomes[0]["status"], 202);
  EXPECT_EQ(outcomes[1]["status"], 422);
  EXPECT_EQ(outcomes[1]["problem"]["code"], "validation-failed");
  std::set<std::string> pointers;
  for (const json& error : outcomes[1]["problem"]["errors"]) pointers.insert(error["pointer"]);
  EXPECT_EQ(pointers,
            (std::set<std::string>{"/messages/1/sender_number", "/messages/1/message_body"}));
  EXPECT_EQ(outcomes[2]["problem"]["errors"][0]["pointer"], "/messages/2");
  EXPECT_EQ(outcomes[3]["problem"]["errors"][0]["pointer"], "/messages/3/metadata/a~1b");
  EXPECT_EQ(outcomes[4]["status"], 202);
  EXPECT_EQ(QueuedEnvelopes().size(), 2U);
}

// What goes to the queue together is one transaction: a command of it that the queue does not take
// takes those beside it along.
TEST_F(BatchTest, IsNotStoredInPart) {
  StartAll();
  json batch = BatchOf(3);
  batch["messages"][1]["idempotency_key"] = "key-1";
  RedisCommand({"ACL", "SETUSER", "edge", "-eval", "-evalsha"});
  const RawAnswer refused = Send(batch);
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(Json(refused)["code"], "queue-unavailable");
  EXPECT_TRUE(QueuedEnvelopes().empty());

  RedisCommand({"ACL", "SETUSER", "edge", "+eval", "+evalsha"});
  const RawAnswer taken = Send(batch);
  EXPECT_EQ(taken.status, 202) << taken.body;
  EXPECT_EQ(Json(taken)["accepted"], 3) << "the key was not used up";
  EXPECT_EQ(QueuedEnvelopes().size(), 3U);
}

TEST_F(BatchTest, KeysBelongToMessages) {
  StartAll();
  json batch = BatchOf(3);
  batch["messages"][0]["idempotency_key"] = "key-0";
  batch["messages"][1]["idempotency_key"] = "key-1";
  const RawAnswer first = Send(batch);
  ASSERT_EQ(first.status, 202) << first.body;

  batch["messages"][1]["message_body"] = "another message";
  batch["messages"].push_back(batch["messages"][0]);
  batch["messages"].push_back(Message("last"));
  batch["messages"][4]["idempotency_key"] = "two words";
  const json second = Json(Send(batch));
  const json& outcomes = second["outcomes"];
  EXPECT_EQ(outcomes[0]["message"], Json(first)["outcomes"][0]["message"]);
  EXPECT_EQ(outcomes[0]["replayed"], true);
  EXPECT_EQ(outcomes[1]["status"], 422);
  EXPECT_EQ(outcomes[1]["problem"]["code"], "idempotency-key-reused");
  EXPECT_EQ(outcomes[2]["status"], 202);
  EXPECT_NE(outcomes[2]["message"], Json(first)["outcomes"][2]["message"]);
  EXPECT_EQ(outcomes[3]["message"], outcomes[0]["message"]) << "twice in one batch";
  EXPECT_EQ(outcomes[4]["problem"]["errors"][0]["code"], "invalid-idempotency-key");
  EXPECT_EQ(outcomes[4]["problem"]["errors"][0]["pointer"], "/messages/4/idempotency_key");
  EXPECT_EQ(QueuedEnvelopes().size(), 4U);

  // One and the same whether it comes alone or in a batch.
  const auto alone = Connect()->Ask(PostText(
      Message("message 0").dump(), "Content-Type: application/json\r\nIdempotency-Key: key-0\r\n"));
  EXPECT_EQ(Json(*alone), outcomes[0]["message"]);
  EXPECT_EQ(alone->fields.at("idempotent-replayed"), "true");
}

TEST_F(BatchTest, MessagesWithAndWithoutKeysKeepTheirOrder) {
  StartAll();
  json batch = BatchOf(300);
  for (std::size_t i = 0; i < 300; ++i) {
    if (i % 7 != 0) batch["messages"][i]["idempotency_key"] = "key-" + std::to_string(i);
  }
  const json body = Json(Send(batch));
  ASSERT_EQ(body["accepted"], 300);
  const auto envelopes = QueuedEnvelopes();
  ASSERT_EQ(envelopes.size(), 300U);
  for (std::size_t i = 0; i < envelopes.size(); ++i) {
    ASSERT_EQ(body["outcomes"][i]["message"]["id"], Uuid::FromBytes(envelopes[i].id())->ToString())
        << i;
  }
  EXPECT_EQ(Json(Send(batch))["outcomes"][299]["replayed"], true);
}

TEST_F(BatchTest, WhatIsNoBatchIsRefusedWhole) {
  StartAll();
  const auto client = Connect();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"[]", ""},
      {"{}", "/messages"},
      {R"({"messages":[]})", "/messages"},
      {R"({"messages":{}})", "/messages"},
      {R"({"messages":null})", "/messages"},
      {R"({"messages":[)" + GoodBody() + R"(],"more":1})", "/more"},
      {R"({"messages":[)" + GoodBody() + R"(],"messages":[)" + GoodBody() + "]}", "/messages"},
      {BatchOf(1'001).dump(), "/messages"},
  };
  for (const auto& [body, pointer] : cases) {
    const auto answer = client->Ask(BatchText(body));
    ASSERT_TRUE(answer.has_value()) << body.substr(0, 80);
    EXPECT_EQ(answer->status, 422) << body.substr(0, 80);
    EXPECT_EQ(Json(*answer)["errors"][0]["pointer"], pointer) << body.substr(0, 80);
  }
  EXPECT_EQ(client->Ask(BatchText(R"({"messages":[)" + GoodBody() + "}"))->status, 400);
  EXPECT_EQ(client->Ask(BatchText(BatchOf(1).dump(), "Content-Type: text/plain\r\n"))->status, 415);
  const auto keyed = client->Ask(
      BatchText(BatchOf(1).dump(), "Content-Type: application/json\r\nIdempotency-Key: k\r\n"));
  EXPECT_EQ(keyed->status, 400);
  EXPECT_EQ(Json(*keyed)["code"], "invalid-idempotency-key");
  EXPECT_EQ(client->Ask(GetText("/api/v1/messages:batch"))->status, 405);
  EXPECT_TRUE(QueuedEnvelopes().empty());
  EXPECT_EQ(client->Ask(BatchText(BatchOf(1).dump()))->status, 202);
}

TEST_F(BatchTest, TheRateLimitCountsMessages) {
  v1::Client limited = Register("acme", acme_files_);
  limited.mutable_limits()->set_messages_per_second(1);
  limited.mutable_limits()->set_burst(4);
  server_->SetClient(limited);
  StartAll();
  const RawAnswer answer = Send(BatchOf(6));
  ASSERT_EQ(answer.status, 207);
  const json body = Json(answer);
  EXPECT_EQ(body["accepted"], 4);
  EXPECT_EQ(body["outcomes"][4]["problem"]["code"], "rate-limited");
  EXPECT_GE(body["outcomes"][5]["retry_after"], 1);
  EXPECT_EQ(QueuedEnvelopes().size(), 4U);
}

TEST_F(BatchTest, WithoutTheQueueNothingIsTaken) {
  StartAll();
  redis_->Kill();
  const RawAnswer answer = Send(BatchOf(3));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(Json(answer)["code"], "queue-unavailable");
  EXPECT_GT(std::stoi(answer.fields.at("retry-after")), 0);
  ASSERT_TRUE(redis_->StartAgain().ok());
  ASSERT_TRUE(Eventually([&] { return Send(BatchOf(3)).status == 202; }));
}

TEST_F(BatchTest, LargeBodiesHaveABound) {
  StartAll();
  json batch = BatchOf(1'000);
  for (json& message : batch["messages"]) message["message_body"] = std::string(1'000, 'x');
  EXPECT_EQ(Send(batch).status, 202) << "about a megabyte";
  // Told by its length: nobody has to send it all to hear that.
  const auto too_large = Connect()->Ask(
      "POST /api/v1/messages:batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 8388609\r\n\r\n");
  ASSERT_TRUE(too_large.has_value());
  EXPECT_EQ(too_large->status, 413);

  // Two that never send their body, and a third one.
  const std::string announced =
      "POST /api/v1/messages:batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\n"
      "Content-Length: 1000000\r\n\r\n";
  const auto slow = Connect();
  const auto slower = Connect();
  ASSERT_TRUE(slow->Send(announced));
  ASSERT_TRUE(slower->Send(announced));
  std::optional<RawAnswer> third;
  ASSERT_TRUE(Eventually([&] {
    third = Connect()->Ask(announced);
    return third.has_value() && third->status == 429;
  }));
  EXPECT_EQ(Json(*third)["code"], "concurrency-limit");
  EXPECT_EQ(Send(BatchOf(1)).status, 202) << "small ones are not concerned";
}

}  // namespace
}  // namespace postern::edge::test
