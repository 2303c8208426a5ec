#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/common/base/uuid.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/envelope_cipher.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::Eventually;
using testing::HasSubstr;

class AcceptTest : public EdgeFixture {};

TEST_F(AcceptTest, PutsTheEncryptedMessageIntoTheQueueAndRegistersIt) {
  StartAll();
  const auto answer = Post("top secret text");
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->status, 202) << answer->body;
  const auto json = Json(*answer);
  const std::string id = json["id"];
  EXPECT_EQ(json["status"], "queued");
  EXPECT_TRUE(json.contains("accepted_at"));
  EXPECT_EQ(answer->fields.at("location"), "/api/v1/messages/" + id);
  EXPECT_TRUE(Uuid::Parse(answer->fields.at("request-id")).ok());

  const auto envelopes = QueuedEnvelopes();
  ASSERT_EQ(envelopes.size(), 1U);
  const v1::Envelope& envelope = envelopes[0];
  EXPECT_EQ(envelope.SerializeAsString().find("secret"), std::string::npos);
  EXPECT_EQ(envelope.SerializeAsString().find("5550123"), std::string::npos);
  EXPECT_EQ(envelope.client_id(), "acme");
  EXPECT_EQ(envelope.domain(), "example.org");
  EXPECT_EQ(envelope.client_ref(), "ref-1");
  EXPECT_EQ(envelope.traceparent().size(), 55U);
  const Uuid message_id = *Uuid::FromBytes(envelope.id());
  EXPECT_EQ(message_id.ToString(), id);

  const auto keys = server_->data_keys();
  auto cipher = crypto::Aead::Create(keys.at(envelope.data_key_id()));
  const Uuid key_id = *Uuid::FromBytes(envelope.data_key_id());
  const auto body = cipher->Open(
      envelope.encrypted_body(),
      crypto::EnvelopeAdditionalData(crypto::EnvelopeField::kBody, key_id, message_id, "acme"));
  EXPECT_EQ(*body, "top secret text");
  const auto number = cipher->Open(
      envelope.encrypted_number(),
      crypto::EnvelopeAdditionalData(crypto::EnvelopeField::kNumber, key_id, message_id, "acme"));
  EXPECT_EQ(*number, "+14155550123");

  ASSERT_TRUE(Eventually([&] { return server_->registrations().size() == 1; }));
  const v1::Registration registration = server_->registrations().at(envelope.id());
  EXPECT_EQ(registration.envelope().SerializeAsString(), envelope.SerializeAsString());
  EXPECT_FALSE(registration.position().entry_id().empty());
  EXPECT_GE(registration.durable_at_us(), envelope.accepted_at_us());
}

// The limit comes with the directory, and a change of it holds at once on open connections.
TEST_F(AcceptTest, AClientKeepsToItsLimit) {
  v1::Client limited = Register("acme", acme_files_);
  limited.mutable_limits()->set_messages_per_second(1);
  limited.mutable_limits()->set_burst(3);
  server_->SetClient(limited);
  const auto other_files = ClientsCa().Leaf("client", "other");
  Register("other", other_files);
  StartAll();
  const auto client = Connect();
  const auto first = client->Ask(PostText(GoodBody()));
  ASSERT_EQ(first->status, 202);
  EXPECT_EQ(first->fields.at("ratelimit-policy"), "\"rate\";q=3;w=3");
  EXPECT_EQ(first->fields.at("ratelimit"), "\"rate\";r=2;t=1");
  EXPECT_TRUE(first->fields.at("server-timing").starts_with("check;dur="));
  std::optional<postern::test::RawAnswer> refused;
  int accepted = 1;
  // More than the burst and whatever a slow machine lets trickle in meanwhile.
  ASSERT_TRUE(Eventually([&] {
    refused = client->Ask(PostText(GoodBody()));
    accepted += refused->status == 202 ? 1 : 0;
    return refused->status == 429;
  }));
  EXPECT_EQ(Json(*refused)["code"], "rate-limited");
  EXPECT_EQ(refused->fields.at("retry-after"), "1");
  EXPECT_TRUE(refused->fields.at("ratelimit").starts_with("\"rate\";r=0;t="));
  EXPECT_EQ(QueuedEnvelopes().size(), static_cast<std::size_t>(accepted));
  const auto other = Connect(other_files)->Ask(PostText(GoodBody()));
  EXPECT_EQ(other->status, 202) << "another client is not held back";
  EXPECT_EQ(other->fields.count("ratelimit"), 0U);

  limited.clear_limits();
  server_->SetClient(limited);
  EXPECT_TRUE(Eventually([&] {
    const auto answer = client->Ask(PostText(GoodBody()));
    return answer->status == 202 && answer->fields.count("ratelimit") == 0;
  }));
}

// Counted by the queue, so that it holds over all edges.
TEST_F(AcceptTest, AClientKeepsToItsDailyLimit) {
  v1::Client limited = Register("acme", acme_files_);
  limited.mutable_limits()->set_messages_per_day(3);
  server_->SetClient(limited);
  StartAll();
  const auto client = Connect();
  const auto first = client->Ask(PostText(GoodBody()));
  ASSERT_EQ(first->status, 202);
  EXPECT_EQ(first->fields.at("ratelimit-policy"), "\"day\";q=3;w=86400");
  EXPECT_TRUE(first->fields.at("ratelimit").starts_with("\"day\";r=2;t="));
  Application second_edge(MakeSettings());
  ASSERT_TRUE(second_edge.Start().ok());
  postern::test::TlsClient::Options options;
  options.port = second_edge.port();
  options.files = acme_files_;
  options.files.trust = ServicesCa().ca_file();
  int accepted = 1;
  std::optional<postern::test::RawAnswer> refused;
  ASSERT_TRUE(Eventually([&] {
    refused = postern::test::TlsClient(options).Ask(PostText(GoodBody()));
    accepted += refused.has_value() && refused->status == 202 ? 1 : 0;
    return refused.has_value() && refused->status == 429;
  }));
  EXPECT_EQ(accepted, 3);
  EXPECT_EQ(Json(*refused)["code"], "quota-exceeded");
  EXPECT_LE(std::stoi(refused->fields.at("retry-after")), 86'400);
  EXPECT_EQ(client->Ask(PostText(GoodBody()))->status, 429);
  EXPECT_EQ(QueuedEnvelopes().size(), 3U);

  limited.mutable_limits()->set_messages_per_day(4);
  server_->SetClient(limited);
  EXPECT_TRUE(Eventually([&] { return client->Ask(PostText(GoodBody()))->status == 202; }));
  EXPECT_EQ(client->Ask(PostText(GoodBody()))->status, 429);
}

TEST_F(AcceptTest, CarriesTheTraceOfTheClient) {
  StartAll();
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto answer = Connect()->Ask(
      PostText(GoodBody(), "Content-Type: application/json\r\ntraceparent: " + trace + "\r\n"));
  ASSERT_EQ(answer->status, 202);
  EXPECT_EQ(QueuedEnvelopes().at(0).traceparent(), trace);
}

TEST_F(AcceptTest, ManyRequestsOnOneConnectionStayInOrder) {
  StartAll();
  const auto client = Connect();
  for (int i = 0; i < 50; ++i) {
    const auto answer = client->Ask(PostText(GoodBody("message " + std::to_string(i))));
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->status, 202);
  }
  const auto envelopes = QueuedEnvelopes();
  ASSERT_EQ(envelopes.size(), 50U);
  for (std::size_t i = 1; i < 50; ++i) EXPECT_LT(envelopes[i - 1].id(), envelopes[i].id());
  EXPECT_TRUE(Eventually([&] { return server_->registrations().size() == 50; }));
}

TEST_F(AcceptTest, BadRequestsGetProblemsAndLeaveTheConnectionUsable) {
  StartAll();
  const auto client = Connect();
  auto answer = client->Ask(PostText(R"({"sender_number":"x","message_body":""})"));
  EXPECT_EQ(answer->status, 422);
  EXPECT_EQ(answer->fields.at("content-type"), "application/problem+json");
  EXPECT_EQ(Json(*answer)["errors"].size(), 2U);
  EXPECT_EQ(Json(*answer)["instance"], "urn:uuid:" + answer->fields.at("request-id"));

  answer = client->Ask(PostText("{\"sender_number\":"));
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(Json(*answer)["code"], "malformed-json");

  answer = client->Ask(PostText(GoodBody(), "Content-Type: text/plain\r\n"));
  EXPECT_EQ(answer->status, 415);
  answer = client->Ask(PostText(GoodBody(), ""));
  EXPECT_EQ(answer->status, 415);

  answer = client->Ask(GetText("/api/v1/messages:batch"));
  EXPECT_EQ(answer->status, 405);
  EXPECT_EQ(answer->fields.at("allow"), "POST");
  answer = client->Ask(GetText("/nothing"));
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(Json(*answer)["code"], "not-found");

  answer = client->Ask(PostText(GoodBody()));
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(QueuedEnvelopes().size(), 1U);
}

TEST_F(AcceptTest, OversizeBodyIsRefused) {
  StartAll();
  const auto client = Connect();
  const auto answer = client->Ask(PostText(std::string(64 * 1024 + 1, 'x')));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 413);
  EXPECT_EQ(Json(*answer)["code"], "payload-too-large");
  EXPECT_FALSE(answer->fields.at("request-id").empty());
}

TEST_F(AcceptTest, StatusComesFromTheBufferThenFromTheServer) {
  StartAll();
  server_->HoldRegistrations(true);
  const auto client = Connect();
  const auto accepted = client->Ask(PostText(GoodBody()));
  ASSERT_EQ(accepted->status, 202);
  const std::string path = accepted->fields.at("location");
  auto answer = client->Ask(GetText(path));
  ASSERT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(Json(*answer)["status"], "queued");
  EXPECT_EQ(Json(*answer)["client_ref"], "ref-1");
  EXPECT_EQ(Json(*answer)["accepted_at"], Json(*accepted)["accepted_at"]);
  EXPECT_EQ(answer->fields.at("retry-after"), "1");
  EXPECT_EQ(answer->fields.at("cache-control"), "no-store");

  const auto other_files = ClientsCa().Leaf("client", "other");
  Register("other", other_files);
  ASSERT_TRUE(Eventually([&] {
    const auto seen = Connect(other_files)->Ask(GetText(path));
    return seen.has_value() && seen->status == 404;
  })) << "another client's message does not exist";

  server_->HoldRegistrations(false);
  v1::Message message;
  message.set_id(Json(*accepted)["id"]);
  message.set_client_id("acme");
  message.set_state(v1::MESSAGE_STATE_DELIVERED);
  message.set_attempts(2);
  message.set_delivered_at_us(1'700'000'000'000'000);
  server_->SetMessage(message);
  ASSERT_TRUE(Eventually([&] {
    answer = client->Ask(GetText(path));
    return answer.has_value() && answer->status == 200 && Json(*answer)["status"] == "delivered";
  }));
  EXPECT_EQ(Json(*answer)["attempts"], 2);
  EXPECT_EQ(answer->fields.count("retry-after"), 0U);

  EXPECT_EQ(client->Ask(GetText("/api/v1/messages/not-a-uuid"))->status, 404);
  EXPECT_EQ(client->Ask(GetText("/api/v1/messages/" + Uuid::Random().ToString()))->status, 404);
}

TEST_F(AcceptTest, HealthAndMetricsTellTheTruth) {
  StartAll();
  ASSERT_EQ(Post()->status, 202);
  const auto client = Connect();
  auto answer = client->Ask(GetText("/api/v1/health"));
  EXPECT_EQ(answer->status, 200);
  const auto checks = Json(*answer)["checks"];
  for (const char* name : {"queue", "server", "directory", "data_key", "registration"}) {
    EXPECT_EQ(checks[name]["status"], "pass") << name;
  }
  EXPECT_EQ(client->Ask(GetText("/livez"))->status, 200);
  EXPECT_EQ(client->Ask(GetText("/readyz"))->status, 200);

  postern::test::TlsClient::Options options;
  options.port = edge_->ops_port();
  options.plain = true;
  postern::test::TlsClient ops(options);
  answer = ops.Ask(GetText("/metrics"));
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(
      answer->body,
      HasSubstr("postern_http_requests_total{code=\"202\",route=\"POST /api/v1/messages\"} 1"));
  EXPECT_THAT(answer->body, HasSubstr("postern_messages_accepted_total 1"));
  EXPECT_THAT(answer->body, HasSubstr("postern_enqueue_errors_total{reason=\"unsafe\"} 0"));
}

}  // namespace
}  // namespace postern::edge::test
