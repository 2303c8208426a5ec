#include "services/common/base/encoding.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(HexTest, RoundTripsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(*HexDecode(HexEncode(bytes)), bytes);
  EXPECT_EQ(*HexDecode("fF0a"), "\xff\x0a");
}

TEST(HexTest, RefusesOddLengthAndOtherCharacters) {
  EXPECT_FALSE(HexDecode("abc").ok());
  EXPECT_FALSE(HexDecode("0g").ok());
  EXPECT_FALSE(HexDecode("0x").ok());
}

TEST(Sha256HexTest, TakesFingerprintsAsPeoplePasteThem) {
  std::string colons;
  for (int i = 0; i < 32; ++i) colons += i == 0 ? "AB" : ":CD";
  std::string plain = "ab";
  for (int i = 1; i < 32; ++i) plain += "cd";
  EXPECT_EQ(*NormalizeSha256Hex(colons), plain);
  EXPECT_EQ(*NormalizeSha256Hex(plain), plain);
}

TEST(Sha256HexTest, RefusesOtherLengths) {
  EXPECT_FALSE(NormalizeSha256Hex("").ok());
  EXPECT_FALSE(NormalizeSha256Hex(std::string(40, 'a')).ok());
  EXPECT_FALSE(NormalizeSha256Hex(std::string(66, 'a')).ok());
}

}  // namespace
}  // namespace postern
