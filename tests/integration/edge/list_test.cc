#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::Eventually;

class ListTest : public EdgeFixture {
 protected:
  void SetUp() override {
    for (int i = 0; i < 5; ++i) {
      v1::Message message;
      message.set_id("01a20298-573b-71df-b72e-8aa23468900" + std::to_string(i));
      message.set_client_id(i == 2 ? "other" : "acme");
      message.set_state(v1::MESSAGE_STATE_RETRYING);
      message.set_reason("DEADLINE_EXCEEDED");
      message.set_attempts(2);
      message.set_accepted_at_us(1'700'000'000'000'000);
      message.set_last_attempt_at_us(1'700'000'001'000'000);
      message.set_next_attempt_at_us(1'700'000'031'000'000);
      server_->SetMessage(message);
    }
    StartAll();
    client_ = Connect();
  }
  postern::test::RawAnswer List(const std::string& query) {
    return client_->Ask(GetText("/api/v1/messages" + query)).value();
  }
  std::unique_ptr<postern::test::TlsClient> client_;
};

TEST_F(ListTest, PagesThroughTheClientsOwnMessages) {
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    const auto answer = List("?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.fields.at("cache-control"), "no-store");
    const auto page = Json(answer);
    for (const auto& message : page["messages"]) {
      seen.push_back(message["id"]);
      EXPECT_EQ(message["status"], "retrying");
      EXPECT_EQ(message["reason"], "DEADLINE_EXCEEDED");
    }
    cursor = page["next_cursor"].is_null() ? "" : page["next_cursor"].get<std::string>();
    ++pages;
  } while (!cursor.empty());
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(seen,
            (std::vector<std::string>{
                "01a20298-573b-71df-b72e-8aa234689004", "01a20298-573b-71df-b72e-8aa234689003",
                "01a20298-573b-71df-b72e-8aa234689001", "01a20298-573b-71df-b72e-8aa234689000"}));
}

TEST_F(ListTest, FiltersGoToTheMainServerInTheNameOfTheClient) {
  const auto answer = List(
      "?status=queued,dead&from=2026-11-22T09:31:08Z&until=2026-11-22T12:31:08%2B02:00"
      "&sender_number=+14155550123&client_ref=a%2Fb&limit=7");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const v1::ListMessagesRequest asked = server_->list_request();
  EXPECT_EQ(asked.client_id(), "acme");
  EXPECT_EQ(asked.page_size(), 7);
  EXPECT_EQ(asked.sender_number(), "+14155550123");
  EXPECT_EQ(asked.client_ref(), "a/b");
  EXPECT_EQ(asked.states_size(), 2);
  EXPECT_EQ(asked.accepted_until_us() - asked.accepted_from_us(), 3'600'000'000);
}

TEST_F(ListTest, ForgedAndForeignCursorsAreRefused) {
  const std::string cursor = Json(List("?limit=2"))["next_cursor"];
  EXPECT_EQ(List("?limit=1&cursor=" + cursor).status, 200) << "the size may change";
  std::string forged = cursor;
  forged[30] = forged[30] == 'A' ? 'B' : 'A';
  const auto other_files = ClientsCa().Leaf("client", "other");
  Register("other", other_files);
  ASSERT_TRUE(Eventually([&] {
    const auto answer = Connect(other_files)->Ask(GetText("/api/v1/messages"));
    return answer.has_value() && answer->status == 200;
  }));
  const auto foreign =
      Connect(other_files)->Ask(GetText("/api/v1/messages?limit=2&cursor=" + cursor));
  EXPECT_EQ(foreign->status, 400);
  EXPECT_EQ(Json(*foreign)["code"], "invalid-cursor");
  for (const std::string& bad :
       {"cursor=" + forged, "cursor=" + cursor.substr(0, 10), std::string("cursor=x"),
        std::string("cursor=01a20298-573b-71df-b72e-8aa234689003"),
        "status=dead&cursor=" + cursor}) {
    const auto answer = List("?" + bad);
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_EQ(Json(answer)["code"], "invalid-cursor") << bad;
  }
}

TEST_F(ListTest, EveryFaultOfAQueryIsNamed) {
  const auto answer = List(
      "?limit=1001&status=lost&from=yesterday&sender_number=12&client_ref=a%20b&cursor=%zz&color="
      "red"
      "&limit=1");
  ASSERT_EQ(answer.status, 400);
  const auto json = Json(answer);
  EXPECT_EQ(json["code"], "invalid-parameter");
  std::vector<std::string> names;
  for (const auto& error : json["errors"]) {
    names.push_back(error.contains("parameter") ? error["parameter"] : error["pointer"]);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"limit", "status", "from", "sender_number",
                                             "client_ref", "cursor", "", "limit"}));
  EXPECT_EQ(answer.body.find("yesterday"), std::string::npos);
  EXPECT_EQ(List("?limit=0").status, 400);
  EXPECT_EQ(List("?limit=1000").status, 200);
  EXPECT_EQ(List("?from=2026-11-22T09:31:08Z&until=2026-11-22T09:31:08Z").status, 400);
}

TEST_F(ListTest, WithoutTheMainServerTheAnswerIs503) {
  server_->Stop();
  const auto answer = List("");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(Json(answer)["code"], "register-unavailable");
  EXPECT_EQ(answer.fields.at("retry-after"), "1");
  server_->Start();
  EXPECT_TRUE(Eventually([&] { return List("").status == 200; }));
}

TEST_F(ListTest, OneMessageHasATimeline) {
  const auto answer = List("/01a20298-573b-71df-b72e-8aa234689004");
  ASSERT_EQ(answer.status, 200);
  const auto timeline = Json(answer)["timeline"];
  ASSERT_EQ(timeline.size(), 3U);
  EXPECT_EQ(timeline[0]["event"], "accepted");
  EXPECT_EQ(timeline[1]["event"], "attempt_failed");
  EXPECT_EQ(timeline[1]["reason"], "DEADLINE_EXCEEDED");
  EXPECT_EQ(timeline[2]["event"], "next_attempt");
}

}  // namespace
}  // namespace postern::edge::test
