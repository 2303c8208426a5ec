#include "portal/web/parameters.h"

#include <gtest/gtest.h>

#include "portal/web/limits.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

TEST(Parameters, DecodesWhatBrowsersSend) {
  const auto parsed = Parameters::Parse("a=1+2&b=%C3%A4%26%3D&c&a=3&=x&d=");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->Get("a"), "1 2");
  EXPECT_EQ(parsed->Get("b"), "ä&=");
  EXPECT_TRUE(parsed->Has("c"));
  EXPECT_EQ(parsed->Get("c"), "");
  EXPECT_EQ(parsed->All("a"), (std::vector<std::string>{"1 2", "3"}));
  EXPECT_TRUE(parsed->All("d").empty());
}

TEST(Parameters, RefusesWhatCouldBeReadInTwoWays) {
  for (const char* text :
       {"a=%", "a=%4", "a=%zz", "a=%ff", "%c0%af=1", "a=%ed%a0%80", "a=%f4%90%80%80", "a=%e2%82"}) {
    EXPECT_FALSE(Parameters::Parse(text).ok()) << text;
  }
  std::string many;
  for (std::size_t i = 0; i <= kParametersMax; ++i) many += "a=1&";
  EXPECT_FALSE(Parameters::Parse(many).ok());
}

TEST(Parameters, QueryIsReadAgainAsItWasWritten) {
  Parameters fields;
  fields.Add("state", "dead");
  fields.Add("state", "queued");
  fields.Set("number", "+1 415&=%\"<>");
  fields.Set("empty", "");
  EXPECT_EQ(fields.ToQuery(), "?state=dead&state=queued&number=%2B1%20415%26%3D%25%22%3C%3E");
  const auto again = Parameters::Parse(std::string_view(fields.ToQuery()).substr(1));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->Get("number"), "+1 415&=%\"<>");
}

TEST(Parameters, OneValueOfSeveralCanBeTakenAway) {
  auto fields = *Parameters::Parse("state=dead&state=queued&x=1");
  fields.Remove("state", "dead");
  EXPECT_EQ(fields.ToQuery(), "?state=queued&x=1");
  fields.Set("state", "a");
  EXPECT_EQ(fields.ToQuery(), "?x=1&state=a");
  fields.Remove("state");
  fields.Remove("x");
  EXPECT_EQ(fields.ToQuery(), "");
}

}  // namespace
}  // namespace postern::portal
