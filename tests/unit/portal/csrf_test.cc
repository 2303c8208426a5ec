#include "portal/web/csrf.h"

#include <gtest/gtest.h>

namespace postern::portal {
namespace {

std::vector<crypto::Secret> Keys(std::initializer_list<char> letters) {
  std::vector<crypto::Secret> keys;
  for (const char letter : letters) keys.emplace_back(std::string(32, letter));
  return keys;
}

TEST(CsrfTokens, HoldForOneBrowserAndOneSession) {
  CsrfTokens tokens(Keys({'a'}));
  const std::string secret = CsrfTokens::NewSecret();
  const std::string token = tokens.Make(secret, "session");
  EXPECT_TRUE(CsrfTokens::IsSecret(secret));
  EXPECT_TRUE(tokens.Check(token, secret, "session"));
  EXPECT_FALSE(tokens.Check(token, CsrfTokens::NewSecret(), "session")) << "another browser";
  EXPECT_FALSE(tokens.Check(token, secret, "another session"));
  EXPECT_FALSE(tokens.Check(token, secret, "")) << "before the login";
  EXPECT_FALSE(tokens.Check("", secret, "session"));
  EXPECT_FALSE(tokens.Check("%%%", secret, "session"));
  EXPECT_FALSE(tokens.Check(token, "", "session"));
}

TEST(CsrfTokens, SurviveAChangeOfKeys) {
  CsrfTokens old(Keys({'a'}));
  CsrfTokens both(Keys({'b', 'a'}));
  CsrfTokens fresh(Keys({'b'}));
  const std::string secret = CsrfTokens::NewSecret();
  EXPECT_TRUE(both.Check(old.Make(secret, "s"), secret, "s"));
  EXPECT_TRUE(fresh.Check(both.Make(secret, "s"), secret, "s"));
  EXPECT_FALSE(fresh.Check(old.Make(secret, "s"), secret, "s"));
}

TEST(CsrfTokens, SecretsAreOurs) {
  EXPECT_NE(CsrfTokens::NewSecret(), CsrfTokens::NewSecret());
  for (const char* value : {"", "short", "0123456789012345678901;", "01234567890123456789012345"}) {
    EXPECT_FALSE(CsrfTokens::IsSecret(value)) << value;
  }
}

TEST(Origin, OnlyOurOwnPagesMaySend) {
  EXPECT_TRUE(
      ComesFromOurPages("https://portal.example:8444", "same-origin", "portal.example:8444"));
  EXPECT_TRUE(ComesFromOurPages("https://PORTAL.example", "", "portal.example"));
  EXPECT_TRUE(ComesFromOurPages("", "", "portal.example")) << "a tool: the token decides";
  EXPECT_FALSE(ComesFromOurPages("https://evil.example", "", "portal.example"));
  EXPECT_FALSE(ComesFromOurPages("http://portal.example", "", "portal.example"));
  EXPECT_FALSE(ComesFromOurPages("null", "", "portal.example"));
  EXPECT_FALSE(ComesFromOurPages("https://portal.example.evil.example", "", "portal.example"));
  for (const char* site : {"cross-site", "same-site", "none"}) {
    EXPECT_FALSE(ComesFromOurPages("https://portal.example", site, "portal.example")) << site;
  }
}

}  // namespace
}  // namespace postern::portal
