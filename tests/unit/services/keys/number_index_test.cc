#include "services/keys/number_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace postern::keys {
namespace {

TEST(MaskNumberTest, KeepsTheFirstFourAndTheLastTwoDigits) {
  EXPECT_EQ(MaskNumber("+14155550123"), "+1415*****23");
  EXPECT_EQ(MaskNumber("+123456789012345"), "+1234*********45");
}

TEST(MaskNumberTest, HidesAtLeastFiveDigits) {
  for (std::size_t digits = 1; digits <= 15; ++digits) {
    const std::string masked = MaskNumber("+" + std::string(digits, '7'));
    const auto hidden = static_cast<std::size_t>(std::count(masked.begin(), masked.end(), '*'));
    EXPECT_EQ(masked.size(), digits + 1);
    EXPECT_EQ(masked.front(), '+');
    EXPECT_GE(hidden, std::min<std::size_t>(digits, 5)) << masked;
  }
}

TEST(MaskNumberTest, SurvivesWhatIsNoNumber) {
  EXPECT_EQ(MaskNumber(""), "");
  EXPECT_EQ(MaskNumber("+"), "+");
}

TEST(NumberIndexTest, HashesUnderItsKey) {
  NumberIndex index(crypto::Secret(std::string(32, 'k')));
  NumberIndex other(crypto::Secret(std::string(32, 'o')));
  EXPECT_EQ(index.Hash("+14155550123").size(), 32u);
  EXPECT_EQ(index.Hash("+14155550123"), index.Hash("+14155550123"));
  EXPECT_NE(index.Hash("+14155550123"), index.Hash("+14155550124"));
  EXPECT_NE(index.Hash("+14155550123"), other.Hash("+14155550123"));
}

}  // namespace
}  // namespace postern::keys
