#include "services/common/crypto/hash.h"

#include <gtest/gtest.h>

#include "services/common/base/encoding.h"
#include "services/common/crypto/secret.h"

namespace postern::crypto {
namespace {

TEST(Sha256Test, MatchesKnownDigestsEachTime) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(HexEncode(Sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(HexEncode(Sha256("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
}

TEST(HmacTest, MatchesRfc4231EachTime) {
  Hmac hmac("Jefe");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(HexEncode(hmac.Sign("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
  Hmac other(std::string(20, '\x0b'));
  EXPECT_EQ(HexEncode(other.Sign("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(ConstantTimeEqualTest, ComparesContentAndLength) {
  EXPECT_TRUE(ConstantTimeEqual("same", "same"));
  EXPECT_FALSE(ConstantTimeEqual("same", "samE"));
  EXPECT_FALSE(ConstantTimeEqual("same", "sam"));
  EXPECT_TRUE(ConstantTimeEqual("", ""));
}

TEST(SecretTest, MovesAndNeverRepeatsRandomBytes) {
  Secret first = Secret::Random(32);
  const Secret second = Secret::Random(32);
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(first.view(), second.view());
  const std::string copy(first.view());
  const Secret moved = std::move(first);
  EXPECT_EQ(moved.view(), copy);
  EXPECT_EQ(moved.Clone().view(), copy);
}

}  // namespace
}  // namespace postern::crypto
