#include "services/common/audit/chain_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "services/common/base/strings.h"

namespace postern::audit {
namespace {

using testing::HasSubstr;

std::vector<Row> MakeLog(std::int64_t rows, const std::string& actor = "operator/alice") {
  std::vector<Row> log;
  std::string hash = FirstHash();
  for (std::int64_t i = 1; i <= rows; ++i) {
    Row& row = log.emplace_back();
    row.sequence = i;
    row.at_us = 1000 + i;
    row.actor = actor;
    row.action = "client.create";
    row.target = StrCat("client/c", i);
    row.outcome = 1;
    row.details = "{}";
    row.hash = hash = HashOfRow(hash, row);
  }
  return log;
}

Head HeadOf(const std::vector<Row>& log) {
  return log.empty() ? Head{0, FirstHash()} : Head{log.back().sequence, log.back().hash};
}

Checkpoint CheckpointAt(const Row& row) { return {"server-1", row.sequence, row.hash, row.at_us}; }

// The first fault of a log; {0, 0, ""} when it is sound.
Fault Verify(const std::vector<Row>& log, const Head& head,
             std::vector<Checkpoint> checkpoints = {}) {
  ChainCheck check(std::move(checkpoints));
  for (const Row& row : log) {
    if (!check.Feed(row)) break;
  }
  check.End(head);
  return check.fault().value_or(Fault());
}

TEST(ChainCheckTest, ASoundLogHasNoFault) {
  const auto log = MakeLog(5);
  EXPECT_EQ(Verify(log, HeadOf(log), {CheckpointAt(log[2]), CheckpointAt(log[4])}).what, "");
  EXPECT_EQ(Verify({}, HeadOf({})).what, "");
}

TEST(ChainCheckTest, EveryFieldOfARowIsProtected) {
  const auto sound = MakeLog(5);
  for (auto change :
       {+[](Row& row) { row.at_us += 1; }, +[](Row& row) { row.actor += "x"; },
        +[](Row& row) { row.action = "client.show"; },
        +[](Row& row) { row.target = "client/other"; }, +[](Row& row) { row.outcome = 2; },
        +[](Row& row) { row.details = "{ }"; }, +[](Row& row) { row.hash[0] ^= 1; }}) {
    auto log = sound;
    change(log[2]);
    const Fault fault = Verify(log, HeadOf(sound));
    EXPECT_EQ(fault.first, 3);
    EXPECT_EQ(fault.last, 3);
    EXPECT_THAT(fault.what, HasSubstr("altered"));
  }
}

TEST(ChainCheckTest, DeletedRowsAreNamed) {
  const auto sound = MakeLog(6);
  auto log = sound;
  log.erase(log.begin() + 2, log.begin() + 4);
  const Fault fault = Verify(log, HeadOf(sound));
  EXPECT_EQ(fault.first, 3);
  EXPECT_EQ(fault.last, 4);
  EXPECT_THAT(fault.what, HasSubstr("deleted"));
  // Numbered anew, to hide the gap.
  log[2].sequence = 3;
  log[3].sequence = 4;
  EXPECT_EQ(Verify(log, {4, HeadOf(sound).hash}).first, 3);
}

TEST(ChainCheckTest, RowsThatChangedPlacesAreFound) {
  const auto sound = MakeLog(5);
  auto log = sound;
  std::swap(log[1], log[3]);
  std::swap(log[1].sequence, log[3].sequence);
  EXPECT_EQ(Verify(log, HeadOf(sound)).first, 2);
}

TEST(ChainCheckTest, ATailThatWasCutIsFoundByTheHead) {
  const auto sound = MakeLog(5);
  const std::vector<Row> log(sound.begin(), sound.begin() + 3);
  const Fault fault = Verify(log, HeadOf(sound));
  EXPECT_EQ(fault.first, 4);
  EXPECT_EQ(fault.last, 5);
  EXPECT_THAT(fault.what, HasSubstr("cut off"));
}

TEST(ChainCheckTest, ATailThatWasCutWithTheHeadIsFoundByACheckpoint) {
  const auto sound = MakeLog(5);
  const std::vector<Row> log(sound.begin(), sound.begin() + 3);
  EXPECT_EQ(Verify(log, HeadOf(log)).what, "");  // What checkpoints are for.
  const Fault fault = Verify(log, HeadOf(log), {CheckpointAt(sound[4])});
  EXPECT_EQ(fault.first, 4);
  EXPECT_EQ(fault.last, 5);
  EXPECT_EQ(Verify({}, HeadOf({}), {CheckpointAt(sound[4])}).first, 1);
}

TEST(ChainCheckTest, ALogThatWasWrittenAnewIsFoundByACheckpoint) {
  const auto sound = MakeLog(5);
  const auto forged = MakeLog(6, "operator/mallory");
  const Fault fault = Verify(forged, HeadOf(forged), {CheckpointAt(sound[3])});
  EXPECT_EQ(fault.first, 1);
  EXPECT_EQ(fault.last, 4);
  EXPECT_THAT(fault.what, HasSubstr("server-1"));
}

TEST(ChainCheckTest, RowsBeyondTheHeadAreFound) {
  const auto log = MakeLog(5);
  const Fault fault = Verify(log, {4, log[3].hash});
  EXPECT_EQ(fault.first, 5);
  EXPECT_THAT(fault.what, HasSubstr("beside"));
}

}  // namespace
}  // namespace postern::audit
