#include "edge_proxy/rate_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace postern::edge {
namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000;

RateLimit Limit(std::int64_t per_second, std::int64_t burst) {
  RateLimit limit;
  limit.per_second = per_second;
  limit.burst = burst;
  return limit;
}

int Allowed(RateMeter& meter, const RateLimit& limit, int asked, std::int64_t now_us) {
  int allowed = 0;
  for (int i = 0; i < asked; ++i) allowed += meter.Take(limit, now_us).allowed ? 1 : 0;
  return allowed;
}

TEST(RateMeterTest, WithoutALimitEverythingIsAllowed) {
  RateMeter meter;
  EXPECT_EQ(Allowed(meter, RateLimit(), 100'000, kStart), 100'000);
}

TEST(RateMeterTest, ABurstAtOnceThenTheRate) {
  RateMeter meter;
  const RateLimit limit = Limit(10, 50);
  EXPECT_EQ(Allowed(meter, limit, 100, kStart), 50);
  EXPECT_EQ(Allowed(meter, limit, 100, kStart + kSecond), 10);
  EXPECT_EQ(Allowed(meter, limit, 100, kStart + kSecond + kSecond / 10), 1);
  EXPECT_EQ(Allowed(meter, limit, 100, kStart + 60 * kSecond), 50) << "never more than the burst";
}

TEST(RateMeterTest, WithoutABurstItIsThatOfASecond) {
  RateMeter meter;
  EXPECT_EQ(Allowed(meter, Limit(10, 0), 100, kStart), 10);
}

TEST(RateMeterTest, TellsWhatIsLeftAndWhenToComeBack) {
  RateMeter meter;
  const RateLimit limit = Limit(2, 4);
  RateState state = meter.Take(limit, kStart);
  EXPECT_EQ(state.remaining, 3);
  EXPECT_EQ(state.full_again_s, 1);
  Allowed(meter, limit, 3, kStart);
  state = meter.Take(limit, kStart);
  EXPECT_FALSE(state.allowed);
  EXPECT_EQ(state.remaining, 0);
  EXPECT_EQ(state.full_again_s, 2);
  EXPECT_EQ(state.retry_after_s, 1) << "half a second, rounded up";
  EXPECT_TRUE(meter.Take(limit, kStart + state.retry_after_s * kSecond).allowed);
}

TEST(RateMeterTest, WhatWasRefusedCostsNothing) {
  RateMeter meter;
  const RateLimit limit = Limit(1, 1);
  EXPECT_EQ(Allowed(meter, limit, 1000, kStart), 1);
  EXPECT_EQ(Allowed(meter, limit, 1, kStart + kSecond), 1);
}

TEST(RateMeterTest, AChangedLimitHoldsAtOnce) {
  RateMeter meter;
  EXPECT_EQ(Allowed(meter, Limit(1, 1000), 1000, kStart), 1000);
  EXPECT_EQ(Allowed(meter, Limit(1000, 1000), 2000, kStart + kSecond), 1000)
      << "what was sent under the old limit is not held against the client";
}

TEST(RateMeterTest, AClockThatIsSetBackLocksNobodyOut) {
  RateMeter meter;
  const RateLimit limit = Limit(10, 10);
  EXPECT_EQ(Allowed(meter, limit, 10, kStart), 10);
  const std::int64_t earlier = kStart - 3600 * kSecond;
  Allowed(meter, limit, 10, earlier);
  EXPECT_EQ(Allowed(meter, limit, 100, earlier + kSecond), 10);
}

TEST(RateMeterTest, LanesShareOneLimit) {
  RateMeter meter;
  const RateLimit limit = Limit(100, 1000);
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { allowed += Allowed(meter, limit, 1000, kStart); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed, 1000);
}

TEST(RateMeterTest, ABatchTakesAsManyAsThereAre) {
  RateMeter meter;
  const RateLimit limit = Limit(1, 10);
  RateState state = meter.Take(limit, kStart, 4);
  EXPECT_EQ(state.taken, 4);
  EXPECT_EQ(state.remaining, 6);
  state = meter.Take(limit, kStart, 100);
  EXPECT_TRUE(state.allowed);
  EXPECT_EQ(state.taken, 6);
  EXPECT_EQ(state.remaining, 0);
  EXPECT_EQ(state.retry_after_s, 1);
  state = meter.Take(limit, kStart, 2);
  EXPECT_FALSE(state.allowed);
  EXPECT_EQ(state.taken, 0);
}

TEST(RateFieldsTest, SayPolicyAndState) {
  http::Response response;
  RateState state;
  state.remaining = 7;
  state.full_again_s = 2;
  AddRateFields(Limit(5, 12), state, response);
  ASSERT_EQ(response.fields.size(), 2u);
  EXPECT_EQ(response.fields[0].first, "RateLimit-Policy");
  EXPECT_EQ(response.fields[0].second, "\"rate\";q=12;w=3");
  EXPECT_EQ(response.fields[1].first, "RateLimit");
  EXPECT_EQ(response.fields[1].second, "\"rate\";r=7;t=2");
  RateLimit both = Limit(5, 12);
  both.per_day = 1000;
  state.SetDay(both, 400, 3600);
  http::Response daily;
  AddRateFields(both, state, daily);
  EXPECT_EQ(daily.fields[0].second, "\"rate\";q=12;w=3, \"day\";q=1000;w=86400");
  EXPECT_EQ(daily.fields[1].second, "\"rate\";r=7;t=2, \"day\";r=600;t=3600");
  http::Response unlimited;
  state = RateState();
  AddRateFields(RateLimit(), state, unlimited);
  EXPECT_TRUE(unlimited.fields.empty());
}

}  // namespace
}  // namespace postern::edge
