#include "portal/web/cookies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::portal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Cookies, AreReadByName) {
  const Cookies cookies = ParseCookies("a=1; __Host-session=x=y ;empty=; =b; alone");
  EXPECT_EQ(cookies.at("a"), "1");
  EXPECT_EQ(cookies.at("__Host-session"), "x=y");
  EXPECT_EQ(cookies.at("empty"), "");
  EXPECT_EQ(cookies.size(), 3u);
}

TEST(Cookies, OneThatComesTwiceIsNotBelieved) {
  const Cookies cookies = ParseCookies("s=planted; a=1; s=mine; s=third");
  EXPECT_FALSE(cookies.contains("s"));
  EXPECT_TRUE(cookies.contains("a"));
}

TEST(Cookies, AreForThisHostAndForNoScript) {
  const std::string text = FormatSetCookie("__Host-session", "abc", {});
  for (const char* part :
       {"__Host-session=abc", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("Domain")));
  EXPECT_THAT(text, Not(HasSubstr("Max-Age")));
  CookieLife none;
  none.max_age = std::chrono::seconds(0);
  EXPECT_THAT(FormatSetCookie("__Host-session", "", none), HasSubstr("; Max-Age=0"));
}

}  // namespace
}  // namespace postern::portal
