#include "services/common/base/time.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Rfc3339Test, FormatsInUtcWithMilliseconds) {
  EXPECT_EQ(FormatRfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatRfc3339(1'795'317'898'123'999), "2026-11-22T03:24:58.123Z");
  EXPECT_EQ(FormatRfc3339(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Rfc3339Test, ParsesEveryAllowedForm) {
  const std::int64_t second = 1'795'317'898'000'000;
  EXPECT_EQ(*ParseRfc3339("2026-11-22T03:24:58Z"), second);
  EXPECT_EQ(*ParseRfc3339("2026-11-22t03:24:58z"), second);
  EXPECT_EQ(*ParseRfc3339("2026-11-22T04:24:58+01:00"), second);
  EXPECT_EQ(*ParseRfc3339("2026-11-21T21:54:58-05:30"), second);
  EXPECT_EQ(*ParseRfc3339("2026-11-22T03:24:58-00:00"), second);
  EXPECT_EQ(*ParseRfc3339("2026-11-22T03:24:58.5Z"), second + 500'000);
  EXPECT_EQ(*ParseRfc3339("2026-11-22T03:24:58.123456789Z"), second + 123'456);
  EXPECT_EQ(*ParseRfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000'000);
}

TEST(Rfc3339Test, ALeapSecondIsTheNextMinute) {
  EXPECT_EQ(*ParseRfc3339("2016-12-31T23:59:60Z"), *ParseRfc3339("2017-01-01T00:00:00Z"));
}

TEST(Rfc3339Test, RefusesEverythingElse) {
  for (const char* text :
       {"", "2026-11-22", "2026-11-22T03:24:58", "2026-11-22T03:24Z", "2026-11-22T03:24:58.Z",
        "2026-11-22T24:00:00Z", "2026-11-22T03:60:00Z", "2026-11-22T03:24:61Z",
        "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-11-22T03:24:58+24:00", "2026-11-22T03:24:58+01:60", "2026-11-22T03:24:58+0100",
        "2026-11-22T03:24:58Z ", " 2026-11-22T03:24:58Z", "26-11-22T03:24:58Z",
        "2026-11-22T03:24:58ZZ", "+026-11-22T03:24:58Z"}) {
    EXPECT_EQ(ParseRfc3339(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(DeadlineTest, RemainingNeverGoesBelowZero) {
  const Deadline past = Deadline::After(std::chrono::milliseconds(-5));
  EXPECT_TRUE(past.Expired());
  EXPECT_EQ(past.Remaining(), Deadline::Clock::duration::zero());
  EXPECT_GT(Deadline::After(std::chrono::hours(1)).Remaining(), std::chrono::minutes(59));
}

}  // namespace
}  // namespace postern
