#include "services/ctl/text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "services/ctl/message_view.h"

namespace postern::ctl {
namespace {

constexpr std::int64_t kAccepted = 1'795'317'898'123'000;

TEST(TextTest, OffsetsReadWellAtEveryScale) {
  EXPECT_EQ(OffsetText(kAccepted, kAccepted + 2'100), "+2.1 ms");
  EXPECT_EQ(OffsetText(kAccepted, kAccepted + 4'500'000), "+4.5 s");
  EXPECT_EQ(OffsetText(kAccepted, kAccepted + 3'723'000'000), "+1h02m03s");
  EXPECT_EQ(OffsetText(kAccepted, kAccepted - 1'000), "-1.0 ms");
  EXPECT_EQ(OffsetText(kAccepted, 0), "");
}

TEST(TextTest, StatesAreWords) {
  EXPECT_EQ(StateText(v1::MESSAGE_STATE_RETRYING), "retrying");
  EXPECT_EQ(StateText(v1::CLIENT_STATE_ACTIVE), "active");
  EXPECT_EQ(StateText(static_cast<v1::MessageState>(99)), "unknown");
}

TEST(MessageViewTest, ShowsTheTimelineInTheOrderOfTime) {
  v1::Message message;
  message.set_id("0192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0f");
  message.set_client_id("acme");
  message.set_domain("acme.example");
  message.set_state(v1::MESSAGE_STATE_DELIVERED);
  message.set_attempts(1);
  message.set_accepted_at_us(kAccepted);
  message.set_durable_at_us(kAccepted + 1'500);
  message.set_registered_at_us(kAccepted + 9'000);
  message.set_delivered_at_us(kAccepted + 7'000);
  std::ostringstream out;
  PrintMessage(out, message);
  const std::string text = out.str();
  const auto timeline = text.substr(text.find("timeline"));
  EXPECT_EQ(timeline,
            "timeline\n"
            "  2026-11-22T03:24:58.123Z           accepted\n"
            "  2026-11-22T03:24:58.124Z  +1.5 ms  on disk\n"
            "  2026-11-22T03:24:58.130Z  +7.0 ms  delivered at attempt 1\n"
            "  2026-11-22T03:24:58.132Z  +9.0 ms  registered\n");
}

TEST(MessageViewTest, ShowsAFailureAndTheNextAttempt) {
  v1::Message message;
  message.set_state(v1::MESSAGE_STATE_RETRYING);
  message.set_attempts(2);
  message.set_reason("DEADLINE_EXCEEDED");
  message.set_accepted_at_us(kAccepted);
  message.set_next_attempt_at_us(kAccepted + 30'000'000);
  std::ostringstream out;
  PrintMessage(out, message);
  EXPECT_NE(out.str().find("2, the last failed: DEADLINE_EXCEEDED"), std::string::npos);
  EXPECT_NE(out.str().find("+30.0 s  attempt 3 is due"), std::string::npos);
}

}  // namespace
}  // namespace postern::ctl
