#include "services/common/base/uuid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace postern {
namespace {

constexpr std::int64_t kNowUs = 1'795'317'898'123'456;

TEST(UuidTest, TextAndBytesRoundTrip) {
  const auto uuid = Uuid::Parse("0192F5A4-11b2-7c3d-8e4f-5a6b7c8d9e0f");
  ASSERT_TRUE(uuid.ok());
  EXPECT_EQ(uuid->ToString(), "0192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0f");
  EXPECT_EQ(*Uuid::FromBytes(uuid->bytes()), *uuid);
}

TEST(UuidTest, RefusesWhatIsNoUuidAndDoesNotRepeatIt) {
  for (const char* text :
       {"", "0192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0", "{192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0f",
        "0192f5a4111b2-7c3d-8e4f-5a6b7c8d9e0f", "0192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0g",
        "-192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0f"}) {
    const auto uuid = Uuid::Parse(text);
    EXPECT_EQ(uuid.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(uuid.status().message().find("0192"), absl::string_view::npos);
  }
  EXPECT_FALSE(Uuid::FromBytes("fifteen bytes..").ok());
}

TEST(UuidV7GeneratorTest, CarriesTimeVersionAndVariant) {
  UuidV7Generator generator;
  const Uuid uuid = generator.Next(kNowUs);
  EXPECT_EQ(uuid.TimestampMillis(), kNowUs / 1000);
  EXPECT_EQ(uuid.ToString()[14], '7');
  EXPECT_THAT(std::string("89ab"), testing::HasSubstr(std::string(1, uuid.ToString()[19])));
}

TEST(UuidV7GeneratorTest, RisesStrictlyWithinOneMillisecondBeyondTheCounter) {
  UuidV7Generator generator;
  Uuid last = generator.Next(kNowUs);
  for (int i = 0; i < 20'000; ++i) {
    const Uuid next = generator.Next(kNowUs);
    ASSERT_LT(last, next) << i;
    last = next;
  }
}

TEST(UuidV7GeneratorTest, RisesWhenTheClockStepsBackByMinutes) {
  UuidV7Generator generator;
  const Uuid before = generator.Next(kNowUs);
  EXPECT_LT(before, generator.Next(kNowUs - 240'000'000));
}

TEST(UuidV7GeneratorTest, FollowsAClockThatWasHoursAhead) {
  UuidV7Generator generator;
  constexpr std::int64_t kNowMillis = 1'700'000'000'000;
  generator.Next((kNowMillis + 2 * 3600 * 1000) * 1000);
  const Uuid first = generator.Next(kNowMillis * 1000);
  EXPECT_EQ(first.TimestampMillis(), kNowMillis);
  EXPECT_LT(first, generator.Next(kNowMillis * 1000));
}

TEST(UuidV7GeneratorTest, TwoGeneratorsDoNotMeetInOneMillisecond) {
  UuidV7Generator first;
  UuidV7Generator second;
  std::set<Uuid> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.insert(first.Next(kNowUs));
    ids.insert(second.Next(kNowUs));
  }
  EXPECT_EQ(ids.size(), 2000u);
}

}  // namespace
}  // namespace postern
