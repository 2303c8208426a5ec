#include "portal/web/format.h"

#include <gtest/gtest.h>

namespace postern::portal {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
// 2026-07-01T12:00:00.250Z: summer time in Europe.
constexpr std::int64_t kSummer = 1'782'907'200'250'000;

TEST(Format, TimesAreInTheZone) {
  const Zones zones;
  ASSERT_TRUE(zones.Contains("Europe/Berlin"));
  const absl::TimeZone berlin = zones.Find("Europe/Berlin");
  EXPECT_EQ(FormatTime(kSummer, berlin), "2026-07-01 14:00:00");
  EXPECT_EQ(FormatTimeExactly(kSummer, absl::UTCTimeZone()), "2026-07-01 12:00:00.250");
  EXPECT_EQ(FormatOffset(kSummer, berlin), "UTC+02:00");
  EXPECT_EQ(FormatForInput(kSummer, berlin), "2026-07-01T14:00");
}

TEST(Format, ZonesThatNobodyKnowsAreUtc) {
  const Zones zones;
  for (const char* name : {"", "Mars/Olympus", "../../etc/passwd", "/etc/localtime"}) {
    EXPECT_FALSE(zones.Contains(name)) << name;
    EXPECT_EQ(FormatOffset(kSummer, zones.Find(name)), "UTC+00:00") << name;
  }
}

TEST(Format, DatesOfFormsAreReadInTheZone) {
  const absl::TimeZone berlin = Zones().Find("Europe/Berlin");
  std::int64_t at_us = 0;
  ASSERT_TRUE(ParseFromInput("2026-07-01T14:00", berlin, at_us));
  EXPECT_EQ(at_us, kSummer - 250'000);
  ASSERT_TRUE(ParseFromInput("2026-07-01", berlin, at_us));
  EXPECT_EQ(FormatTime(at_us, berlin), "2026-07-01 00:00:00");
  for (const char* text : {"", "yesterday", "2026-13-01T00:00", "1969-12-31T00:00",
                           "10000-01-01T00:00", "2026-07-01T14:00<script>"}) {
    EXPECT_FALSE(ParseFromInput(text, berlin, at_us)) << text;
  }
}

TEST(Format, SpansAreForPeople) {
  EXPECT_EQ(FormatSpan(0), "0 ms");
  EXPECT_EQ(FormatSpan(-5), "0 ms");
  EXPECT_EQ(FormatSpan(999), "< 1 ms");
  EXPECT_EQ(FormatSpan(16'500), "16 ms");
  EXPECT_EQ(FormatSpan(2'410'000), "2.41 s");
  EXPECT_EQ(FormatSpan(5 * kMinute + 3 * kSecond), "5 min 3 s");
  EXPECT_EQ(FormatSpan(5 * kHour + 12 * kMinute), "5 h 12 min");
  EXPECT_EQ(FormatSpan(kHour), "1 h");
  EXPECT_EQ(FormatSpan(kMinute), "1 min");
  EXPECT_EQ(FormatSpan(kDay), "1 day");
  EXPECT_EQ(FormatSpan(3 * kDay), "3 days");
  EXPECT_EQ(FormatDistance(kSummer, kSummer + 3 * kMinute), "3 min ago");
  EXPECT_EQ(FormatDistance(kSummer + 3 * kDay, kSummer), "in 3 days");
  EXPECT_EQ(FormatDistance(kSummer, kSummer), "now");
}

TEST(Format, NumbersHaveGroups) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'000), "1,000");
  EXPECT_EQ(FormatCount(-1'234'567), "-1,234,567");
  EXPECT_EQ(FormatCount(-123), "-123");
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(std::int64_t{5} << 40), "5.0 TiB");
}

}  // namespace
}  // namespace postern::portal
