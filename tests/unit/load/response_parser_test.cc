#include "tests/load/response_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::load {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kId = "0199c3f2-1a2b-7c3d-8e4f-0123456789ab";

std::string Accepted(const std::string& headers) {
  const std::string body = R"({"id":")" + std::string(kId) + R"(","status":"queued"})";
  return "HTTP/1.1 202 Accepted\r\n" + headers + "content-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST(ParseAnswerTest, ReadsStatusAndId) {
  const std::string text = Accepted("Server: x\r\n");
  Answer answer;
  std::size_t consumed = 0;
  ASSERT_EQ(ParseAnswer(text, answer, consumed), ParseResult::kComplete);
  EXPECT_EQ(consumed, text.size());
  EXPECT_EQ(answer.status, 202);
  EXPECT_FALSE(answer.close);
  ASSERT_TRUE(answer.id);
  EXPECT_EQ(*answer.id, *ParseMessageId(kId));
  EXPECT_EQ((*answer.id)[0], 0x01);
  EXPECT_EQ((*answer.id)[15], 0xab);
}

TEST(ParseAnswerTest, EveryPrefixIsIncomplete) {
  const std::string text = Accepted("");
  for (std::size_t size = 0; size < text.size(); ++size) {
    Answer answer;
    std::size_t consumed = 0;
    EXPECT_EQ(ParseAnswer(std::string_view(text).substr(0, size), answer, consumed),
              ParseResult::kIncomplete)
        << size;
  }
}

TEST(ParseAnswerTest, ReadsRetryAfterAndClose) {
  Answer answer;
  std::size_t consumed = 0;
  const std::string text =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: "
      "2\r\n\r\n{}";
  ASSERT_EQ(ParseAnswer(text, answer, consumed), ParseResult::kComplete);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.retry_after, 2s);
  EXPECT_TRUE(answer.close);
  EXPECT_FALSE(answer.id);
}

TEST(ParseAnswerTest, SaysHowMuchOfTheDataWasTheAnswer) {
  const std::string text = Accepted("");
  Answer answer;
  std::size_t consumed = 0;
  ASSERT_EQ(ParseAnswer(text + "HTTP/1.1 ", answer, consumed), ParseResult::kComplete);
  EXPECT_EQ(consumed, text.size());
}

TEST(ParseAnswerTest, WhatIsNoAnswerIsMalformed) {
  for (const char* text :
       {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "garbage\r\n\r\n"}) {
    Answer answer;
    std::size_t consumed = 0;
    EXPECT_EQ(ParseAnswer(text, answer, consumed), ParseResult::kMalformed) << text;
  }
}

TEST(ParseMessageIdTest, RefusesWhatIsNoUuid) {
  EXPECT_FALSE(ParseMessageId("0199c3f2-1a2b-7c3d-8e4f-0123456789a"));
  EXPECT_FALSE(ParseMessageId("0199c3f2x1a2b-7c3d-8e4f-0123456789ab"));
  EXPECT_FALSE(ParseMessageId("0199c3f2-1a2b-7c3d-8e4f-0123456789ag"));
}

TEST(BatchAnswerTest, GivesAnOutcomeForEachMessage) {
  const std::string id = "01a20298-573b-71df-b72e-8aa234689a52";
  const std::string body =
      R"({"accepted":1,"refused":1,"outcomes":[{"status":422,"problem":{"type":"/problems/x",)"
      R"("title":"t","status":422,"request_id":"01a20298-573b-71df-b72e-8aa234689a51"}},)"
      R"({"status":202,"message":{"id":")" +
      id + R"(","status":"queued","accepted_at":"2026-11-22T09:31:08.123Z"},"replayed":true}]})";
  std::vector<std::optional<MessageId>> outcomes;
  ASSERT_TRUE(ParseBatchAnswer(body, 2, outcomes));
  EXPECT_FALSE(outcomes[0].has_value());
  EXPECT_EQ(outcomes[1], ParseMessageId(id));
  EXPECT_FALSE(ParseBatchAnswer(body, 3, outcomes));
  EXPECT_FALSE(ParseBatchAnswer("{}", 1, outcomes));
}

}  // namespace
}  // namespace postern::load
