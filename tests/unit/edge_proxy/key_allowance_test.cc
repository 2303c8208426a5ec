#include "edge_proxy/key_allowance.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "edge_proxy/limits.h"

namespace postern::edge {
namespace {

constexpr std::int64_t kMax = 4;

class KeyAllowanceTest : public ::testing::Test {
 protected:
  std::int64_t Use(const std::string& client = "acme") {
    return allowance_.Use(client, kMax, now_);
  }
  // A block that the queue gives.
  std::int64_t Take() {
    const std::int64_t block = Use();
    if (block > 0) allowance_.Granted("acme");
    return block;
  }

  KeyAllowance allowance_;
  KeyAllowance::Clock::time_point now_{std::chrono::hours(1000)};
};

TEST_F(KeyAllowanceTest, OneOfABlockTakesItAndBlocksGrow) {
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(Take(), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Take(), kMax) << i;
    for (int j = 1; j < kMax; ++j) EXPECT_EQ(Take(), 0) << j;
  }
  EXPECT_EQ(Use("other"), 1) << "each client has its own";
}

TEST_F(KeyAllowanceTest, WhatUsesNoRoomGivesItBack) {
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(Take(), 0);
  allowance_.Return("acme", 0);
  EXPECT_EQ(Take(), 0);
  // A replay that was to take a block took none: one behind it has used what is not there.
  EXPECT_EQ(Use(), kMax);
  EXPECT_EQ(Use(), 0);
  allowance_.Return("acme", kMax);
  EXPECT_EQ(Use(), kMax);
  EXPECT_EQ(Use(), 0);
  EXPECT_EQ(Use(), 0);
  EXPECT_EQ(Use(), kMax) << "the one that was missing is paid";
}

TEST_F(KeyAllowanceTest, WhoIsRefusedAsksForOneAtATime) {
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(Take(), 0);
  EXPECT_EQ(Use(), kMax);
  allowance_.Return("acme", kMax);
  allowance_.Refused("acme");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Use(), 1);
    EXPECT_EQ(Use(), 1) << "also beside one that asks";
    for (int j = 0; j < 2; ++j) {
      allowance_.Return("acme", 1);
      allowance_.Refused("acme");
    }
  }
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
}

TEST_F(KeyAllowanceTest, ABlockIsNotUsedLongAfterItWasCounted) {
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
  now_ += kKeyBlockLife;
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 2);
  allowance_.Clear();
  EXPECT_EQ(Take(), 1) << "nor on another connection";
}

}  // namespace
}  // namespace postern::edge
