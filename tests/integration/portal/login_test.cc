#include <gmock/gmock.h>

#include "tests/integration/portal/portal_fixture.h"

namespace postern::portal::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LoginTest : public PortalFixture {
 protected:
  LoginTest() { StartPortal(); }
};

TEST_F(LoginTest, WhoIsSignedInSeesPages) {
  Browser browser = NewBrowser();
  EXPECT_EQ(browser.Get("/").status, 200);
  EXPECT_THAT(browser.Get("/dashboard").fields.at("location"),
              HasSubstr("/login?next=%2Fdashboard"));
  const auto answer = browser.SignIn("bob@example.org");
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(answer.fields.at("location"), "/dashboard");
  const auto page = browser.Get("/dashboard");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("Bob"));
  EXPECT_EQ(server_->last_login().address(), "127.0.0.1");
  EXPECT_EQ(server_->last_login().user_agent(), "a test");
}

TEST_F(LoginTest, AWrongPasswordAndAnUnknownUserGetTheSameAnswer) {
  Browser browser = NewBrowser();
  browser.Get("/login");
  Browser::Form form;
  form["email"] = "bob@example.org";
  form["password"] = "wrong wrong wrong";
  auto wrong = browser.Post("/login", form);
  form["email"] = "who@example.org";
  auto unknown = browser.Post("/login", form);
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(unknown.status, 401);
  EXPECT_THAT(unknown.body, HasSubstr("who@example.org")) << "the input is kept";
  EXPECT_THAT(unknown.body, Not(HasSubstr("wrong wrong"))) << "the password is not";
  EXPECT_FALSE(browser.cookies().contains("__Host-session"));
}

TEST_F(LoginTest, NothingIsSentToTheServerWithoutEmailAndPassword) {
  Browser browser = NewBrowser();
  browser.Get("/login");
  const auto answer = browser.Post("/login", {{"email", ""}, {"password", ""}});
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, HasSubstr("email-fault"));
  EXPECT_THAT(answer.body, HasSubstr("password-fault"));
  EXPECT_EQ(server_->calls("Login"), 0);
}

TEST_F(LoginTest, ThrottledLoginsSaySo) {
  Browser browser = NewBrowser();
  server_->FailNext("Login", {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many"});
  const auto answer = browser.SignIn("bob@example.org");
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(answer.fields.contains("retry-after"));
}

TEST_F(LoginTest, LeadsBackToThePageButToNoOtherSite) {
  for (const auto& [next, expected] :
       std::map<std::string, std::string>{{"/messages?state=dead", "/messages?state=dead"},
                                          {"//evil.example", "/dashboard"},
                                          {"/\\evil.example", "/dashboard"},
                                          {"https://evil.example", "/dashboard"},
                                          {"/a\r\nSet-Cookie: x=y", "/dashboard"},
                                          {"", "/dashboard"}}) {
    Browser browser = NewBrowser();
    browser.Get("/login");
    const auto answer = browser.Post(
        "/login",
        {{"email", "bob@example.org"}, {"password", FakeServer::kPassword}, {"next", next}});
    EXPECT_EQ(answer.fields.at("location"), expected) << next;
  }
}

TEST_F(LoginTest, AnOldSessionsCookieIsNotKeptByALogin) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  const std::string before = browser.cookies().at("__Host-session");
  const std::string token = browser.token();
  browser.Post("/login", {{"email", "bob@example.org"}, {"password", FakeServer::kPassword}});
  EXPECT_NE(browser.cookies().at("__Host-session"), before);
  EXPECT_EQ(browser.Post("/logout", {{"csrf", token}}).status, 403) << "the old session's token";
}

TEST_F(LoginTest, AOneTimePasswordHasToBeChangedFirst) {
  Browser browser = NewBrowser();
  EXPECT_EQ(browser.SignIn("eve@example.org").fields.at("location"), "/password");
  EXPECT_EQ(browser.Get("/messages").fields.at("location"), "/password");
  browser.Get("/password");
  Browser::Form form;
  form["current_password"] = FakeServer::kPassword;
  form["new_password"] = "short";
  form["repeat_password"] = "short";
  auto answer = browser.Post("/password", form);
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, HasSubstr("new_password-fault"));
  form["new_password"] = form["repeat_password"] = "a much longer one";
  answer = browser.Post("/password", form);
  EXPECT_EQ(answer.fields.at("location"), "/dashboard");
  EXPECT_EQ(browser.Get("/messages").status, 200);
}

TEST_F(LoginTest, TokensAreRefreshedBeforeTheyEnd) {
  server_->SetAccessLife(1'000'000);  // Within kRefreshAhead: every request refreshes.
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  const int before = server_->calls("RefreshSession");
  EXPECT_EQ(browser.Get("/messages").status, 200);
  EXPECT_EQ(server_->calls("RefreshSession"), before + 1);
  EXPECT_EQ(browser.Get("/messages").status, 200) << "with the new refresh token";
}

TEST_F(LoginTest, ASessionThatEndedElsewhereLeadsToTheLogin) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  server_->EndSessions();
  const auto answer = browser.Get("/messages?state=dead");
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(answer.fields.at("location"), "/login?next=%2Fmessages%3Fstate%3Ddead");
  EXPECT_FALSE(browser.cookies().contains("__Host-session"));
}

TEST_F(LoginTest, SessionsSurviveThePortalAndGoToAnotherOne) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  const auto cookies = browser.cookies();
  portal_.reset();
  StartPortal();
  Browser again = NewBrowser();
  again.cookies() = cookies;
  EXPECT_EQ(again.Get("/messages").status, 200);
  EXPECT_EQ(again.Post("/profile/sessions", {}).status, 303) << "the form's token is good, too";
}

TEST_F(LoginTest, LogoutEndsTheSessionAtTheServer) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  const auto cookies = browser.cookies();
  const auto answer = browser.Post("/logout", {});
  EXPECT_EQ(answer.fields.at("location"), "/login?done=signed-out");
  Browser copy = NewBrowser();
  copy.cookies() = cookies;
  EXPECT_EQ(copy.Get("/messages").status, 303) << "a copy of the cookie is of no use";
}

TEST_F(LoginTest, AServerThatIsAwayIsSaidSoAndComesBack) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  server_->Stop();
  const auto away = browser.Get("/messages");
  EXPECT_EQ(away.status, 503);
  EXPECT_TRUE(away.fields.contains("retry-after"));
  EXPECT_THAT(away.body, HasSubstr("href=\"/messages\""));
  EXPECT_THAT(away.body, HasSubstr(away.fields.at("request-id")));
  EXPECT_TRUE(browser.cookies().contains("__Host-session")) << "nobody is signed out by it";
  EXPECT_EQ(browser.Post("/logout", {}).status, 503) << "not signed out where it does not count";
  server_->Start();
  int status = 0;
  for (int i = 0; i < 100 && status != 200; ++i) status = browser.Get("/messages").status;
  EXPECT_EQ(status, 200);
}

}  // namespace
}  // namespace postern::portal::test
