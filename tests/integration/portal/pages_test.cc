#include <gmock/gmock.h>

#include <vector>

#include "tests/integration/portal/portal_fixture.h"

namespace postern::portal::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PagesTest : public PortalFixture {
 protected:
  PagesTest() { StartPortal(); }
};

const std::vector<std::string> kAdminPages = {"/dashboard",
                                              "/dashboard/figures",
                                              "/dashboard/chart?range=7d",
                                              "/statistics",
                                              "/messages",
                                              "/messages?state=dead&range=24h&client=acme",
                                              "/messages?number=1",
                                              "/profile",
                                              "/help",
                                              "/users",
                                              "/users?email=a&role=admin&state=active",
                                              "/users/new",
                                              "/users/2",
                                              "/users/2/confirm?act=disable",
                                              "/clients",
                                              "/new-client",
                                              "/clients/acme",
                                              "/clients/acme/suspend",
                                              "/clients/acme/limits",
                                              "/certificates",
                                              "/certificates?state=ends-30&profile=client",
                                              "/certificates/new?client=acme",
                                              "/certificates/0abc",
                                              "/certificates/0abc/revoke",
                                              "/queue",
                                              "/queue/redrive?reason=AUTHENTICATION_FAILED",
                                              "/queue/redrive",
                                              "/audit",
                                              "/database",
                                              "/database/purge",
                                              "/system"};

// So that no page shows a hole where a value should be.
TEST_F(PagesTest, EveryVariableOfEveryPageIsBound) {
  Browser browser = NewBrowser();
  browser.Get("/");
  browser.Get("/login?next=%2Fmessages&done=signed-out");
  browser.SignIn("ada@example.org");
  for (const std::string& page : kAdminPages) {
    const auto answer = browser.Get(page);
    EXPECT_THAT(answer.status, testing::AnyOf(200, 422)) << page;
    EXPECT_EQ(MissingVariables(), 0) << page;
  }
  browser.Get(std::string("/messages/") + FakeServer::kMessageId);
  browser.Get("/nothing");
  Browser user = NewBrowser();
  user.SignIn("bob@example.org");
  for (const char* page : {"/dashboard", "/messages", "/profile", "/help", "/users"})
    user.Get(page);
  EXPECT_EQ(MissingVariables(), 0);
}

TEST_F(PagesTest, AUserSeesNoAdministratorsPage) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  for (const char* page :
       {"/users", "/users/1", "/clients", "/clients/acme/limits", "/certificates", "/queue",
        "/audit", "/database", "/system", "/statistics", "/new-client"}) {
    const auto answer = browser.Get(page);
    EXPECT_EQ(answer.status, 403) << page;
    EXPECT_THAT(answer.body, HasSubstr("Error 403"));
  }
  EXPECT_THAT(browser.Get("/dashboard").body, Not(HasSubstr("/audit")));
}

// The portal's own check spares calls; the server's is the one that counts.
// What never gets to the main server is to be in its audit log all the same.
TEST_F(PagesTest, TheServerIsToldWhatThePortalRefuses) {
  const auto told = [&](int calls, v1::RefusalReason reason, const char* route) {
    const v1::ReportRefusalRequest last = server_->last_refusal();
    EXPECT_EQ(server_->calls("ReportRefusal"), calls) << route;
    EXPECT_EQ(last.reason(), reason) << route;
    EXPECT_EQ(last.route(), route);
    EXPECT_EQ(last.address(), "127.0.0.1");
  };
  Browser user = NewBrowser();
  user.SignIn("bob@example.org");
  EXPECT_EQ(server_->calls("ReportRefusal"), 0);
  EXPECT_EQ(user.Get("/clients/acme/suspend").status, 403);
  told(1, v1::REFUSAL_REASON_ROLE, "/clients/{}/suspend");
  EXPECT_EQ(user.Post("/profile/sessions", {{"csrf", "none of ours"}}).status, 403);
  told(2, v1::REFUSAL_REASON_FORM, "/profile/sessions");
  EXPECT_EQ(server_->last_refusal().method(), "POST");
  EXPECT_EQ(NewBrowser().Post("/login", {{"email", "bob@example.org"}}).status, 403);
  told(3, v1::REFUSAL_REASON_FORM, "/login");
  Browser forger = NewBrowser();
  forger.cookies()["__Host-session"] = "forged";
  EXPECT_EQ(forger.Get("/messages").status, 303);
  told(4, v1::REFUSAL_REASON_SESSION, "/messages");
  EXPECT_FALSE(forger.cookies().contains("__Host-session")) << "it would be told again and again";
  // Who has no session has none to be refused.
  EXPECT_EQ(NewBrowser().Get("/messages").status, 303);
  EXPECT_EQ(server_->calls("ReportRefusal"), 4);
}

// Told or not, it is refused.
TEST_F(PagesTest, ARefusalThatCannotBeToldIsOneToo) {
  Browser user = NewBrowser();
  user.SignIn("bob@example.org");
  server_->FailNext("ReportRefusal", {grpc::StatusCode::UNAVAILABLE, "away"});
  EXPECT_EQ(user.Get("/users").status, 403);
}

TEST_F(PagesTest, TheServersRefusalIsAPageToo) {
  Browser browser = NewBrowser();
  browser.SignIn("ada@example.org");
  server_->FailNext("ListUsers", {grpc::StatusCode::PERMISSION_DENIED, "not any more"});
  EXPECT_EQ(browser.Get("/users").status, 403);
  server_->FailNext("ListUsers", {grpc::StatusCode::INTERNAL, "SELECT secret FROM users"});
  const auto failed = browser.Get("/users");
  EXPECT_EQ(failed.status, 500);
  EXPECT_THAT(failed.body, Not(HasSubstr("SELECT")));
  EXPECT_THAT(failed.body, HasSubstr(failed.fields.at("request-id")));
}

TEST_F(PagesTest, AServerThatGoesAwayDuringACallIsOneThatIsAway) {
  Browser browser = NewBrowser();
  browser.SignIn("ada@example.org");
  for (const grpc::StatusCode code : {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED,
                                      grpc::StatusCode::DEADLINE_EXCEEDED}) {
    server_->FailNext("ListUsers", {code, "stopping"});
    const auto answer = browser.Get("/users");
    EXPECT_EQ(answer.status, 503) << code;
    EXPECT_THAT(answer.body, HasSubstr("Try again"));
  }
}

TEST_F(PagesTest, WhatIsNotThereIs404AndWhatFitsNoMethodIs405) {
  Browser browser = NewBrowser();
  browser.SignIn("ada@example.org");
  for (const char* page : {"/nothing", "/messages/not-a-uuid", "/users/0", "/users/99", "/users/x",
                           "/clients/none", "/certificates/zz", "/users/2/confirm?act=erase",
                           "/messages/018f2f6e-7c00-7000-8000-000000000002", "/assets/none.css"}) {
    EXPECT_EQ(browser.Get(page).status, 404) << page;
  }
  EXPECT_EQ(browser.Send("DELETE", "/messages", "", "").status, 405);
  EXPECT_EQ(browser.Get("/messages?a=%zz").status, 400);
}

TEST_F(PagesTest, AMessagesTextIsTextWhateverItHolds) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  server_->SetBody("<script>alert(1)</script>\" onmouseover=\"x \u202e evil");
  const auto page = browser.Get(std::string("/messages/") + FakeServer::kMessageId + "?state=dead");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page.body, Not(HasSubstr("onmouseover=\"x")));
  EXPECT_THAT(page.body, HasSubstr("&lt;script&gt;alert(1)"));
  EXPECT_THAT(page.body, HasSubstr("&lt;b&gt;spring&lt;/b&gt;")) << "metadata";
  EXPECT_THAT(page.body, HasSubstr("+14155550123"));
  EXPECT_THAT(page.body, HasSubstr("/messages?state=dead")) << "the way back keeps the filter";
}

TEST_F(PagesTest, FiltersGoToTheServerAndPagesKeepThem) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  const auto page = browser.Get("/messages?state=dead&client=acme&number=%2B14155550123&size=10");
  EXPECT_EQ(server_->last_list().client_id(), "acme");
  EXPECT_EQ(server_->last_list().sender_number(), "+14155550123");
  EXPECT_EQ(server_->last_list().page_size(), 10);
  EXPECT_EQ(server_->last_list().view(), v1::MESSAGE_VIEW_UNSPECIFIED) << "no bodies in lists";
  EXPECT_THAT(page.body, HasSubstr("size=10&amp;page=a%2Bb%2Fc%3D"));
  EXPECT_THAT(page.body, Not(HasSubstr("+14155550123</td>"))) << "masked";
  const int before = server_->calls("ListMessages");
  EXPECT_EQ(browser.Get("/messages?number=abc").status, 422);
  EXPECT_EQ(server_->calls("ListMessages"), before) << "a wrong filter asks for nothing";
}

TEST_F(PagesTest, EveryAnswerHasItsSecurityFields) {
  Browser browser = NewBrowser();
  browser.SignIn("bob@example.org");
  for (const char* page : {"/", "/login", "/messages", "/nothing", "/assets/none", "/users"}) {
    const auto answer = browser.Get(page);
    EXPECT_THAT(answer.fields.at("content-security-policy"), HasSubstr("default-src 'none'"))
        << page;
    EXPECT_TRUE(answer.fields.contains("strict-transport-security")) << page;
    EXPECT_EQ(answer.fields.at("cache-control"), "no-store") << page;
    EXPECT_TRUE(answer.fields.contains("request-id")) << page;
  }
  const auto broken = browser.Send("GET", "/ a", "", "");
  EXPECT_EQ(broken.status, 400);
  EXPECT_TRUE(broken.fields.contains("content-security-policy"));
}

TEST_F(PagesTest, NoPageHasAnythingInline) {
  Browser browser = NewBrowser();
  browser.SignIn("ada@example.org");
  for (const std::string& page : kAdminPages) {
    const std::string html = browser.Get(page).body;
    EXPECT_EQ(html.find(" style="), std::string::npos) << page;
    EXPECT_EQ(html.find("<style"), std::string::npos) << page;
    EXPECT_EQ(html.find(" onclick"), std::string::npos) << page;
    std::size_t at = 0;
    while ((at = html.find("<script", at)) != std::string::npos) {
      EXPECT_TRUE(html.substr(at).starts_with("<script src=\"/assets/")) << page;
      at += 7;
    }
  }
}

}  // namespace
}  // namespace postern::portal::test
