#include "services/statistics/totals_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/statistics/limits.h"

namespace postern::statistics {
namespace {

using std::chrono::milliseconds;

constexpr TotalsCache::Range kDayOfTen{.from_s = 86'400, .limit = 10};

class TotalsCacheTest : public testing::Test {
 protected:
  void Keep(const TotalsCache::Range& range, const std::string& client) {
    auto totals = std::make_shared<v1::ListClientTotalsResponse>();
    totals->add_clients()->set_client_id(client);
    cache_.Keep(range, std::move(totals), now_);
  }
  // The client whose totals are given, or nothing; a `+` behind when they are to be renewed.
  std::string Find(const TotalsCache::Range& range) {
    const TotalsCache::Found found = cache_.Find(range, now_);
    return (found.totals ? found.totals->clients(0).client_id() : "") + (found.renew ? "+" : "");
  }

  TotalsCache cache_;
  TotalsCache::Clock::time_point now_{std::chrono::hours(1)};
};

TEST_F(TotalsCacheTest, GivesWhatWasKeptForTheSameRange) {
  EXPECT_EQ(Find(kDayOfTen), "+");
  Keep(kDayOfTen, "acme");
  EXPECT_EQ(Find(kDayOfTen), "acme");
  EXPECT_EQ(Find({.from_s = 90'000, .limit = 10}), "+");
  EXPECT_EQ(Find({.from_s = 86'400, .limit = 20}), "+");
}

TEST_F(TotalsCacheTest, OneOfThoseWhoAskRenews) {
  Keep(kDayOfTen, "acme");
  now_ += kTotalsAge + milliseconds(1);
  EXPECT_EQ(Find(kDayOfTen), "acme+");
  EXPECT_EQ(Find(kDayOfTen), "acme");
  Keep(kDayOfTen, "bolt");
  EXPECT_EQ(Find(kDayOfTen), "bolt");
}

TEST_F(TotalsCacheTest, AnotherRenewsWhenTheFirstFailed) {
  Keep(kDayOfTen, "acme");
  now_ += kTotalsAge + milliseconds(1);
  EXPECT_EQ(Find(kDayOfTen), "acme+");
  now_ += kTotalsAge + milliseconds(1);
  EXPECT_EQ(Find(kDayOfTen), "acme+");
}

TEST_F(TotalsCacheTest, GivesNothingThatIsTooOld) {
  Keep(kDayOfTen, "acme");
  now_ += kTotalsAgeMax + milliseconds(1);
  EXPECT_EQ(Find(kDayOfTen), "+");
}

TEST_F(TotalsCacheTest, ForgetsTheOldestRange) {
  for (std::size_t i = 0; i <= kTotalsKept; ++i) {
    Keep({.from_s = static_cast<std::int64_t>(i), .limit = 10}, "acme");
    now_ += milliseconds(1);
  }
  EXPECT_EQ(Find({.from_s = 0, .limit = 10}), "+");
  EXPECT_EQ(Find({.from_s = 1, .limit = 10}), "acme");
}

}  // namespace
}  // namespace postern::statistics
