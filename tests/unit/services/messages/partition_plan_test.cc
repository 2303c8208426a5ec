#include "services/messages/partition_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace postern::messages {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// 2026-11-22T00:00Z in hours since the Unix epoch, a multiple of 24.
constexpr std::int64_t kDay = 20'779 * 24;

std::vector<std::string> Names(const std::vector<Partition>& partitions) {
  std::vector<std::string> names;
  for (const Partition& partition : partitions) names.push_back(partition.Name());
  return names;
}

std::vector<Partition> Parsed(const std::vector<std::string>& names) {
  std::vector<Partition> partitions;
  for (const std::string& name : names) partitions.push_back(Partition::Parse(name).value());
  return partitions;
}

PartitionRules Rules(std::int64_t hours, std::int64_t ahead_hours, std::int64_t keep_hours = 0) {
  PartitionRules rules;
  rules.hours = hours;
  rules.ahead_hours = ahead_hours;
  rules.keep_hours = keep_hours;
  return rules;
}

TEST(PartitionTest, ItsNameSaysWhatItHolds) {
  Partition partition;
  partition.from_hour = kDay + 13;
  partition.hours = 1;
  EXPECT_EQ(partition.Name(), "p2026112213_1");
  const auto parsed = Partition::Parse("p2026112213_1");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->from_hour, kDay + 13);
  EXPECT_EQ(parsed->until_hour(), kDay + 14);
}

TEST(PartitionTest, OtherNamesAreNotOurs) {
  for (const char* name :
       {"p_rest", "p2026112213", "p2026112213_", "p2026112213_0", "p20261122_24", "q2026112213_1",
        "p2026023000_24", "p2026112224_1", "p202611221x_1", "p2026112213_-1", ""}) {
    EXPECT_FALSE(Partition::Parse(name).has_value()) << name;
  }
}

TEST(PartitionPlanTest, TheFirstPartitionsBeginWithThePeriodOfNow) {
  const auto plan = PlanPartitions({}, Rules(24, 48), kDay + 13);
  EXPECT_THAT(Names(plan.add), ElementsAre("p2026112200_24", "p2026112300_24", "p2026112400_24"));
  EXPECT_THAT(plan.drop, IsEmpty());
}

TEST(PartitionPlanTest, NothingIsToBeDoneWhileEnoughIsAhead) {
  const auto existing = Parsed({"p2026112200_24", "p2026112300_24"});
  EXPECT_THAT(PlanPartitions(existing, Rules(24, 24), kDay + 24).add, IsEmpty());
  EXPECT_THAT(Names(PlanPartitions(existing, Rules(24, 25), kDay + 24).add),
              ElementsAre("p2026112400_24"));
}

TEST(PartitionPlanTest, AGapBecomesOneLongPartition) {
  const auto existing = Parsed({"p2026111000_24"});
  EXPECT_THAT(Names(PlanPartitions(existing, Rules(24, 24), kDay + 5).add),
              ElementsAre("p2026111100_288", "p2026112300_24"));
}

TEST(PartitionPlanTest, HoursFollowDaysAndDaysFollowHours) {
  EXPECT_THAT(Names(PlanPartitions(Parsed({"p2026112200_24"}), Rules(1, 3), kDay + 23).add),
              ElementsAre("p2026112300_1", "p2026112301_1"));
  EXPECT_THAT(Names(PlanPartitions(Parsed({"p2026112212_1"}), Rules(24, 24), kDay + 12).add),
              ElementsAre("p2026112213_11", "p2026112300_24"));
}

TEST(PartitionPlanTest, DropsWhatEndedLongEnoughAgo) {
  const auto existing =
      Parsed({"p2026112000_24", "p2026112100_24", "p2026112200_24", "p2026112300_24"});
  const auto drop = [&](std::int64_t keep_hours, std::int64_t now) {
    return Names(PlanPartitions(existing, Rules(24, 0, keep_hours), now).drop);
  };
  EXPECT_THAT(drop(24, kDay - 1), IsEmpty());
  // The message of the last moment of the 20th is 24 hours old when the 22nd begins.
  EXPECT_THAT(drop(24, kDay), ElementsAre("p2026112000_24"));
  EXPECT_THAT(drop(24, kDay + 24), ElementsAre("p2026112000_24", "p2026112100_24"));
  EXPECT_THAT(drop(0, kDay + 24 * 1000), IsEmpty());
}

TEST(PartitionPlanTest, TheNewestPartitionStays) {
  const auto existing = Parsed({"p2026112000_24"});
  EXPECT_THAT(PlanPartitions(existing, Rules(24, 24, 24), kDay + 24 * 100).drop, IsEmpty());
}

}  // namespace
}  // namespace postern::messages
