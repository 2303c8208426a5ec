#include "services/common/pki/serial.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace postern::pki {
namespace {

TEST(SerialTest, RandomOnesArePositiveOfOneLengthAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Serial serial = Serial::Random();
    EXPECT_EQ(serial.bytes().size(), 16u);
    EXPECT_EQ(serial.bytes()[0] & 0xC0, 0x40);
    seen.insert(serial.hex());
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(SerialTest, TextAndBytesOfOneNumberAreEqual) {
  const auto a = Serial::FromHex("0A:1B");
  const auto b = Serial::FromHex("a1b");
  const auto c = Serial::FromBytes(std::string_view("\0\x0a\x1b", 3));
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(*a, *c);
  EXPECT_EQ(a->hex(), "a1b");
}

TEST(SerialTest, RefusesWhatIsNone) {
  for (const char* text : {"", "0", "00", "xyz", "-1"}) EXPECT_FALSE(Serial::FromHex(text).ok());
  EXPECT_FALSE(Serial::FromBytes(std::string(21, 'a')).ok());
  EXPECT_TRUE(Serial::FromBytes(std::string(20, 'a')).ok());
}

}  // namespace
}  // namespace postern::pki
