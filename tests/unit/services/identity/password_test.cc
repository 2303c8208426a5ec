#include "services/identity/password.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace postern::identity {
namespace {

using ::testing::StartsWith;

constexpr int kCost = 4;

TEST(PasswordTest, IsTheOneThatWasHashed) {
  const auto hash = HashPassword("correct horse battery", kCost);
  ASSERT_TRUE(hash.ok()) << hash.status();
  EXPECT_THAT(*hash, StartsWith("$2b$04$"));
  EXPECT_TRUE(CheckPassword("correct horse battery", *hash));
  EXPECT_FALSE(CheckPassword("correct horse batterz", *hash));
  EXPECT_FALSE(CheckPassword("", *hash));
  // A salt of its own each time.
  EXPECT_NE(*hash, HashPassword("correct horse battery", kCost).value());
}

// bcrypt looks at 72 bytes: what it would not see must not count as seen.
TEST(PasswordTest, NeverCutsAPassword) {
  const std::string longest(72, 'x');
  const auto hash = HashPassword(longest, kCost);
  ASSERT_TRUE(hash.ok()) << hash.status();
  EXPECT_TRUE(CheckPassword(longest, *hash));
  EXPECT_FALSE(CheckPassword(longest + "y", *hash));
  EXPECT_TRUE(absl::IsInvalidArgument(HashPassword(longest + "y", kCost).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(HashPassword(std::string("abc\0def", 7), kCost).status()));
  const auto prefix = HashPassword("abc", kCost);
  EXPECT_FALSE(CheckPassword(std::string("abc\0def", 7), *prefix));
}

TEST(PasswordTest, NothingMatchesWhatIsNoHash) {
  for (const char* hash : {"", "*0", "x", "$6$salt$hash", "$2b$04$short"}) {
    EXPECT_FALSE(CheckPassword("", hash)) << hash;
    EXPECT_FALSE(CheckPassword("correct horse battery", hash)) << hash;
  }
}

TEST(PasswordTest, IsHashedAnewWhenTheCostChanged) {
  const auto hash = HashPassword("correct horse battery", kCost);
  EXPECT_FALSE(NeedsRehash(*hash, kCost));
  EXPECT_TRUE(NeedsRehash(*hash, kCost + 1));
  EXPECT_TRUE(NeedsRehash("", kCost));
}

TEST(PasswordTest, SaysWhatIsWrongWithANewOne) {
  const auto check = [](const std::string& password) {
    return CheckNewPassword(password, "ann@example.com", "Ann of Example");
  };
  EXPECT_TRUE(check("correct horse").ok());
  EXPECT_TRUE(check("žluťoučký kůň").ok());
  for (const std::string& bad :
       {std::string("too short"), std::string(73, 'x'), std::string("ANN@example.com"),
        std::string("ann of example"), std::string("with\na line feed"),
        std::string("not \xff UTF-8 text"), std::string()}) {
    EXPECT_THAT(std::string(check(bad).message()), StartsWith("new_password: ")) << bad;
  }
}

TEST(PasswordTest, OneTimePasswordsAreGoodOnesAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const std::string password = MakeOneTimePassword();
    EXPECT_EQ(password.size(), 24u);
    EXPECT_TRUE(CheckNewPassword(password, "a@b", "a").ok());
    EXPECT_TRUE(seen.insert(password).second);
  }
}

}  // namespace
}  // namespace postern::identity
