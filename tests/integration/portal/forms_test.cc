#include <gmock/gmock.h>

#include <vector>

#include "tests/integration/portal/portal_fixture.h"

namespace postern::portal::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostile = "\"><script>alert(1)</script>' OR 1=1 -- \u202e";

class FormsTest : public PortalFixture {
 protected:
  FormsTest() : browser_((StartPortal(), portal_->port())) { browser_.SignIn("ada@example.org"); }
  Browser browser_;
};

TEST_F(FormsTest, OnlyOurOwnPagesCanSendThem) {
  Browser::Form form;
  form["act"] = "disable";
  form["csrf"] = "";
  EXPECT_EQ(browser_.Post("/users/2", form).status, 403) << "no token";
  form["csrf"] = std::string(43, 'A');
  EXPECT_EQ(browser_.Post("/users/2", form).status, 403) << "not our token";
  Browser other = NewBrowser();
  other.SignIn("ada@example.org");
  form["csrf"] = other.token();
  EXPECT_EQ(browser_.Post("/users/2", form).status, 403) << "another browser's token";
  browser_.Get("/users/2");
  const std::string body = "act=disable&csrf=" + FormEncode(browser_.token());
  const std::string type = "Content-Type: application/x-www-form-urlencoded\r\n";
  for (const char* origin :
       {"Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"}) {
    EXPECT_EQ(browser_.Send("POST", "/users/2", body, type + origin).status, 403) << origin;
  }
  EXPECT_EQ(server_->calls("SetUserState"), 0);
  EXPECT_EQ(browser_.Send("POST", "/users/2", body, type).status, 303) << "a tool with the token";
  EXPECT_EQ(server_->calls("SetUserState"), 1);
}

TEST_F(FormsTest, OtherContentTypesAreRefused) {
  for (const char* type : {"text/plain", "application/json", "multipart/form-data; boundary=x"}) {
    const auto answer = browser_.Send("POST", "/users/2", "act=disable",
                                      std::string("Content-Type: ") + type + "\r\n");
    EXPECT_EQ(answer.status, 400) << type;
  }
}

TEST_F(FormsTest, ATooLargeBodyIsRefused) {
  browser_.Get("/users/new");
  EXPECT_EQ(browser_.Post("/users", {{"name", std::string(100'000, 'x')}}).status, 413);
}

TEST_F(FormsTest, ANewUserGetsAOneTimePassword) {
  browser_.Get("/users/new");
  const auto answer = browser_.Post("/users", {{"name", "Eve"},
                                               {"email", "eve@example.org"},
                                               {"role", "user"},
                                               {"client_ids", "acme, other\nthird"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("one-time-1234"));
  EXPECT_EQ(answer.fields.at("cache-control"), "no-store");
  EXPECT_EQ(server_->last_user().client_ids_size(), 3);
}

TEST_F(FormsTest, FaultsNameTheFieldAndKeepTheRest) {
  struct Case {
    std::string path;
    Browser::Form form;
    std::string fault;
    std::string kept;
  };
  const std::vector<Case> cases = {
      {"/users",
       {{"name", ""}, {"email", "x@example.org"}, {"role", "user"}},
       "name-fault",
       "x@example.org"},
      {"/users",
       {{"name", "X"}, {"email", "ada@example.org"}, {"role", "user"}},
       "email-fault",
       "value=\"X\""},
      {"/users",
       {{"name", std::string(101, 'n')}, {"email", "x@example.org"}, {"role", "user"}},
       "name-fault",
       "x@example.org"},
      {"/users",
       {{"name", "X"}, {"email", "x@example.org"}, {"role", "root"}},
       "Choose a role",
       "x@example.org"},
      {"/clients",
       {{"client_id", "acme"}, {"domain", "acme.example"}},
       "client_id-fault",
       "acme.example"},
      {"/clients", {{"client_id", "new"}, {"domain", ""}}, "domain-fault", "value=\"new\""},
      {"/clients/acme/limits",
       {{"kind", "own"}, {"messages_per_second", "1e9"}, {"reason", "as agreed"}},
       "messages_per_second-fault",
       "as agreed"},
      {"/clients/acme/limits",
       {{"kind", "own"}, {"messages_per_day", "-1"}},
       "messages_per_day-fault",
       "value=\"-1\""},
      {"/clients/acme/limits", {{"kind", "own"}, {"burst", "9"}}, "burst-fault", "value=\"9\""},
      {"/clients/acme/limits", {{"messages_per_day", "70"}}, "kind-fault", "value=\"70\""},
      {"/certificates/new",
       {{"name", "acme"}, {"source", "csr"}, {"csr", "nonsense"}},
       "csr-fault",
       "nonsense"},
      {"/certificates/new", {{"name", "nobody"}, {"source", "pem"}}, "name-fault", "nobody"},
      {"/certificates/new",
       {{"name", "acme"}, {"source", "pkcs12"}, {"password", "short"}},
       "password-fault",
       "acme"},
      {"/certificates/new",
       {{"name", "acme"}, {"source", "pem"}, {"days", "-3"}},
       "days-fault",
       "-3"},
      {"/certificates/new", {{"name", "acme"}}, "Choose where", "acme"},
      {"/certificates/0abc/revoke", {{"reason", ""}, {"confirm", "acme"}}, "reason-fault", "acme"},
      {"/certificates/0abc/revoke",
       {{"reason", "superseded"}, {"confirm", "other"}},
       "confirm-fault",
       "other"},
      {"/users/2", {{"act", "link"}, {"client_id", "none"}}, "client_id-fault", "none"},
      {"/users/2", {{"act", "disable"}, {"reason", std::string(501, 'r')}}, "reason-fault", "rrr"},
      {"/database/purge", {{"confirm", "no"}}, "confirm-fault", "no"},
      {"/profile/password",
       {{"current_password", "x"}, {"new_password", "a b c d e f g"}, {"repeat_password", "other"}},
       "repeat_password-fault",
       "Password"},
      {"/profile/password",
       {{"current_password", "x"},
        {"new_password", "a b c d e f g"},
        {"repeat_password", "a b c d e f g"}},
       "current_password-fault",
       "Password"},
  };
  for (const Case& one : cases) {
    browser_.Get("/profile");
    const auto answer = browser_.Post(one.path, one.form);
    EXPECT_EQ(answer.status, 422) << one.path << " " << one.fault;
    EXPECT_THAT(answer.body, HasSubstr(one.fault)) << one.path;
    EXPECT_THAT(answer.body, HasSubstr(one.kept)) << one.path;
    EXPECT_EQ(MissingVariables(), 0) << one.path;
  }
}

TEST_F(FormsTest, HostileValuesAreShownAsTheyAre) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> forms = {
      {"/users", {"name", "email", "client_ids"}},
      {"/clients", {"client_id", "certificate_sha256"}},
      {"/clients/acme/limits", {"kind", "burst", "reason"}},
      {"/certificates/new", {"name", "days", "csr"}},
      {"/certificates/0abc/revoke", {"confirm"}}};
  for (const auto& [path, fields] : forms) {
    Browser::Form form;
    for (const std::string& field : fields) form[field] = kHostile;
    browser_.Get("/profile");
    const auto answer = browser_.Post(path, form);
    EXPECT_EQ(answer.status, 422) << path;
    EXPECT_THAT(answer.body, Not(HasSubstr("<script>alert"))) << path;
    EXPECT_THAT(answer.body, HasSubstr("&quot;&gt;&lt;script&gt;alert(1)")) << path;
  }
  const auto filter =
      browser_.Get("/messages?client=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&number=%3Cb%3E");
  EXPECT_THAT(filter.body, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(filter.body, Not(HasSubstr("<b>")));
}

TEST_F(FormsTest, AKeyIsShownOnceAndAPkcs12IsAFile) {
  browser_.Get("/certificates/new");
  const auto pem = browser_.Post("/certificates/new", {{"name", "acme"}, {"source", "pem"}});
  EXPECT_EQ(pem.status, 200);
  EXPECT_THAT(pem.body, HasSubstr("a private key"));
  const auto file = browser_.Post(
      "/certificates/new", {{"name", "acme"}, {"source", "pkcs12"}, {"password", "long enough"}});
  EXPECT_EQ(file.fields.at("content-type"), "application/x-pkcs12");
  EXPECT_EQ(file.fields.at("content-disposition"), "attachment; filename=\"acme.p12\"");
  EXPECT_EQ(file.body.size(), 4u);
}

TEST_F(FormsTest, ActsAreDone) {
  const std::vector<std::tuple<std::string, Browser::Form, std::string>> acts = {
      {"/users/2", {{"act", "disable"}, {"reason", "left"}}, "SetUserState"},
      {"/users/2", {{"act", "enable"}}, "SetUserState"},
      {"/users/2", {{"act", "admin"}}, "SetUserRole"},
      {"/users/2", {{"act", "unlink"}, {"client_id", "acme"}}, "UnlinkClient"},
      {"/clients/acme", {{"act", "suspend"}, {"reason", "abuse"}}, "SuspendClient"},
      {"/clients/acme", {{"act", "resume"}}, "ResumeClient"},
      {"/certificates/0abc/revoke",
       {{"reason", "key-compromise"}, {"confirm", "acme"}},
       "RevokeCertificate"},
      {"/database/purge", {{"confirm", "purge"}}, "RunRetention"},
      {"/profile/sessions", {}, "EndSessions"}};
  for (const auto& [path, form, call] : acts) {
    browser_.Get("/profile");
    const int before = server_->calls(call);
    EXPECT_EQ(browser_.Post(path, form).status, 303) << path;
    EXPECT_EQ(server_->calls(call), before + 1) << path;
  }
  browser_.Get("/profile");
  const auto back = browser_.Post("/queue/redrive", {{"reason", "ATTEMPTS_EXHAUSTED"}});
  EXPECT_EQ(back.status, 200);
  EXPECT_THAT(back.body, HasSubstr("<strong>7</strong> are queued again"));
  EXPECT_EQ(browser_.Post("/users/2", {{"act", "erase"}}).status, 400);
}

TEST_F(FormsTest, AClientsLimitsAreSetTogetherOrGivenBackToTheEdges) {
  browser_.Get("/clients/acme/limits");
  const auto set = browser_.Post("/clients/acme/limits", {{"kind", "own"},
                                                          {"messages_per_second", "100"},
                                                          {"burst", ""},
                                                          {"messages_per_day", "2000000"},
                                                          {"reason", "contract"}});
  EXPECT_EQ(set.fields.at("location"), "/clients/acme?done=limited");
  const v1::SetClientLimitsRequest own = server_->last_limits();
  EXPECT_EQ(own.client_id(), "acme");
  EXPECT_EQ(own.limits().messages_per_second(), 100);
  EXPECT_EQ(own.limits().burst(), 0);
  EXPECT_EQ(own.limits().messages_per_day(), 2'000'000);
  EXPECT_EQ(own.reason(), "contract");
  browser_.Get("/clients/acme/limits");
  browser_.Post("/clients/acme/limits", {{"kind", "edges"}, {"messages_per_second", "100"}});
  EXPECT_FALSE(server_->last_limits().has_limits());
}

TEST_F(FormsTest, PreferencesAreKeptInTheBrowser) {
  browser_.Get("/profile");
  EXPECT_EQ(browser_.Post("/preferences/theme", {{"theme", "dark"}, {"next", "/help"}})
                .fields.at("location"),
            "/help");
  EXPECT_THAT(browser_.Get("/help").body, HasSubstr("data-bs-theme=\"dark\""));
  EXPECT_EQ(browser_.Post("/preferences/theme", {{"theme", "dark"}, {"next", "//evil"}})
                .fields.at("location"),
            "/");
  browser_.Post("/preferences/zone", {{"zone", "Europe/Berlin"}});
  EXPECT_THAT(browser_.Get("/help").body, HasSubstr("Europe/Berlin"));
  EXPECT_EQ(browser_.Post("/preferences/zone", {{"zone", "../../etc/passwd"}}).status, 400);
}

}  // namespace
}  // namespace postern::portal::test
