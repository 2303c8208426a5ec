#include "services/ctl/table.h"

#include <gtest/gtest.h>

#include <clocale>
#include <sstream>

namespace postern::ctl {
namespace {

TEST(PrintableTest, DataCannotDriveTheTerminal) {
  EXPECT_EQ(Printable("plain, Grüße 你好 👋"), "plain, Grüße 你好 👋");
  EXPECT_EQ(Printable("\x1b[2Jx\ny\t\x7f"), "\\x1b[2Jx\\ny\\t\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\x9b");
  EXPECT_EQ(Printable("a\xe2\x80\xae"
                      "b"),
            "a\\u{202e}b");
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
}

TEST(TableTest, AlignsByDisplayWidthAndLeavesNoTrailingBlanks) {
  ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr);
  Table table({"NAME", "X"});
  table.Add({"你好", "1"});
  table.Add({"longer", ""});
  std::ostringstream out;
  table.Print(out, true);
  EXPECT_EQ(out.str(), "NAME    X\n你好    1\nlonger\n");
}

TEST(TableTest, WithoutHeaderItPrintsRowsOnly) {
  Table table({"A VERY WIDE HEADER", "X"});
  table.Add({"a", "b"});
  std::ostringstream out;
  table.Print(out, false);
  EXPECT_EQ(out.str(), "a  b\n");
}

}  // namespace
}  // namespace postern::ctl
