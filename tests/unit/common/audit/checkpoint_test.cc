#include "services/common/audit/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/strings.h"

namespace postern::audit {
namespace {

using testing::HasSubstr;

Checkpoint At(std::int64_t sequence) {
  Checkpoint checkpoint;
  checkpoint.server = "server-1";
  checkpoint.sequence = sequence;
  checkpoint.hash = std::string(32, 'h');
  checkpoint.at_us = 1'795'317'898'123'000;
  return checkpoint;
}

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() { EXPECT_TRUE(reader_.AddKey(signer_.PublicPem()).ok()); }
  std::string Refusal(const std::string& content) {
    const auto read = reader_.Read(content);
    EXPECT_FALSE(read.ok());
    return std::string(ToStd(read.status().message()));
  }
  const CheckpointSigner signer_ = CheckpointSigner::Generate();
  CheckpointReader reader_;
};

TEST_F(CheckpointTest, WhatWasSignedIsReadBack) {
  const auto read = reader_.Read(signer_.Line(At(7)) + signer_.Line(At(9)));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->front().server, "server-1");
  EXPECT_EQ(read->back().sequence, 9);
  EXPECT_EQ(read->back().hash, At(9).hash);
  EXPECT_EQ(read->back().at_us, At(9).at_us);
}

TEST_F(CheckpointTest, TheKeySurvivesARestart) {
  const auto again = CheckpointSigner::FromPem(signer_.PrivatePem());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(reader_.Read(again->Line(At(1))).ok());
}

TEST_F(CheckpointTest, AnAlteredLineIsRefusedByNumber) {
  std::string altered = signer_.Line(At(17));
  altered.replace(altered.find(":17,"), 4, ":16,");
  EXPECT_THAT(Refusal(signer_.Line(At(1)) + altered), HasSubstr("line 2: the signature"));
}

TEST_F(CheckpointTest, AnotherKeysLineIsRefused) {
  EXPECT_THAT(Refusal(CheckpointSigner::Generate().Line(At(1))), HasSubstr("which was not given"));
}

TEST_F(CheckpointTest, GarbageIsRefused) {
  EXPECT_THAT(Refusal("hello\n"), HasSubstr("line 1: not a checkpoint"));
  EXPECT_THAT(Refusal("{\"format\":2}\n"), HasSubstr("not a checkpoint"));
  EXPECT_FALSE(reader_.AddKey("garbage").ok());
  EXPECT_FALSE(CheckpointSigner::FromPem(signer_.PublicPem()).ok());
}

TEST_F(CheckpointTest, ALineThatAKillCutOffIsLeftOut) {
  const std::string torn = signer_.Line(At(2)).substr(0, 40);
  const auto read = reader_.Read(signer_.Line(At(1)) + torn);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 1u);
}

}  // namespace
}  // namespace postern::audit
