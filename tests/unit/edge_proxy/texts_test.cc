#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "edge_proxy/json_text.h"
#include "edge_proxy/status_view.h"
#include "edge_proxy/trace_context.h"
#include "services/common/base/uuid.h"

namespace postern::edge {
namespace {

TEST(JsonText, EscapesWhatJsonForbids) {
  std::string all;
  for (int c = 0; c < 128; ++c) all.push_back(static_cast<char>(c));
  all += "\xC3\xA4\xF0\x9F\x98\x80";
  std::string json;
  AppendJsonString(json, all);
  EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), all);
  EXPECT_EQ(nlohmann::json(std::string("a\"\\\n\t\r\x01")).dump(), [] {
    std::string out;
    AppendJsonString(out, "a\"\\\n\t\r\x01");
    return out;
  }());
}

TEST(TraceContext, TakesOnlyValidVersionZero) {
  EXPECT_TRUE(IsValidTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  for (const char* bad : {
           "",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
       }) {
    EXPECT_FALSE(IsValidTraceparent(bad)) << bad;
  }
}

TEST(TraceContext, MakesAValidOne) {
  UuidV7Generator ids;
  const Uuid request = ids.Next(1'700'000'000'000'000);
  const std::string made = MakeTraceparent(request, ids.Next(1'700'000'000'000'000));
  EXPECT_TRUE(IsValidTraceparent(made)) << made;
}

TEST(StatusView, ShowsWhatTheRegisterKnows) {
  v1::Message message;
  message.set_id("0190a1b2-0000-7000-8000-000000000000");
  message.set_state(v1::MESSAGE_STATE_RETRYING);
  message.set_client_ref("order-42");
  message.set_attempts(3);
  message.set_reason("DEADLINE_EXCEEDED");
  message.set_accepted_at_us(1'700'000'000'000'000);
  message.set_next_attempt_at_us(1'700'000'030'000'000);
  const StatusView view = ViewOf(message, 1'700'000'010'000'000);
  const auto json = nlohmann::json::parse(view.json);
  EXPECT_EQ(json["status"], "retrying");
  EXPECT_EQ(json["attempts"], 3);
  EXPECT_EQ(json["reason"], "DEADLINE_EXCEEDED");
  EXPECT_EQ(json["client_ref"], "order-42");
  EXPECT_EQ(json["accepted_at"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json["next_attempt_at"], "2023-11-14T22:13:50.000Z");
  EXPECT_TRUE(json["delivered_at"].is_null());
  EXPECT_FALSE(view.final);
  EXPECT_EQ(view.retry_after_s, 21);
}

TEST(StatusView, KnowsWhatIsFinal) {
  v1::Message message;
  for (const auto state : {v1::MESSAGE_STATE_DELIVERED, v1::MESSAGE_STATE_DEAD}) {
    message.set_state(state);
    EXPECT_TRUE(ViewOf(message, 0).final);
  }
  v1::Envelope envelope;
  envelope.set_id(std::string(Uuid::Random().bytes()));
  const StatusView view = ViewOf(envelope);
  EXPECT_FALSE(view.final);
  EXPECT_EQ(view.retry_after_s, 1);
  EXPECT_EQ(nlohmann::json::parse(view.json)["status"], "queued");
}

TEST(StatusView, AcceptedAnswer) {
  EXPECT_EQ(AcceptedJson("abc", 1'700'000'000'123'456),
            R"({"id":"abc","status":"queued","accepted_at":"2023-11-14T22:13:20.123Z"})");
}

}  // namespace
}  // namespace postern::edge
