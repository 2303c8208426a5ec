#include "edge_proxy/key_allowance.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "edge_proxy/limits.h"

namespace postern::edge {
namespace {

constexpr std::int64_t kStep = 4;

class KeyAllowanceTest : public ::testing::Test {
 protected:
  std::int64_t Use(const std::string& client = "acme") {
    return allowance_.Use(client, kStep, now_);
  }

  KeyAllowance allowance_;
  KeyAllowance::Clock::time_point now_{std::chrono::hours(1000)};
};

TEST_F(KeyAllowanceTest, OneOfABlockTakesIt) {
  for (int block = 0; block < 3; ++block) {
    EXPECT_EQ(Use(), kStep);
    for (int i = 1; i < kStep; ++i) EXPECT_EQ(Use(), 0) << i;
  }
  EXPECT_EQ(Use("other"), kStep) << "each client has its own";
}

TEST_F(KeyAllowanceTest, WhatUsesNoRoomGivesItBack) {
  EXPECT_EQ(Use(), kStep);
  EXPECT_EQ(Use(), 0);
  allowance_.Return("acme", 0);
  for (int i = 1; i < kStep; ++i) EXPECT_EQ(Use(), 0) << i;
  EXPECT_EQ(Use(), kStep);
  // A replay that was to take a block took none: one behind it has used what is not there.
  EXPECT_EQ(Use(), 0);
  allowance_.Return("acme", kStep);
  EXPECT_EQ(Use(), kStep);
  EXPECT_EQ(Use(), 0);
  EXPECT_EQ(Use(), 0);
  EXPECT_EQ(Use(), kStep) << "the one that was missing is paid";
}

TEST_F(KeyAllowanceTest, WhoIsRefusedAsksEachTime) {
  EXPECT_EQ(Use(), kStep);
  allowance_.Return("acme", kStep);
  allowance_.Note("acme", true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Use(), kStep);
    EXPECT_EQ(Use(), kStep) << "also beside one that asks";
    allowance_.Return("acme", kStep);
    allowance_.Return("acme", kStep);
  }
  EXPECT_EQ(Use(), kStep);
  allowance_.Note("acme", false);
  EXPECT_EQ(Use(), 0);
}

TEST_F(KeyAllowanceTest, ABlockIsNotUsedLongAfterItWasCounted) {
  EXPECT_EQ(Use(), kStep);
  now_ += kKeyBlockLife;
  EXPECT_EQ(Use(), kStep);
  EXPECT_EQ(Use(), 0);
  allowance_.Clear();
  EXPECT_EQ(Use(), kStep) << "nor on another connection";
}

}  // namespace
}  // namespace postern::edge
