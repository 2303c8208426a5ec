#include "portal/pages/parts.h"

#include <gtest/gtest.h>

#include "tests/unit/portal/visit_fixture.h"

namespace postern::portal {
namespace {

TEST(Faults, AreFoundByTheirField) {
  const auto named = FaultsOf(absl::InvalidArgumentError("new_password: too short"),
                              "current_password new_password");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->at("new_password"), "too short");
  EXPECT_TRUE(FaultsOf(absl::InvalidArgumentError("client_ids[3]: unknown"), "client_ids")
                  ->contains("client_ids"));
  EXPECT_FALSE(FaultsOf(absl::InvalidArgumentError("other: x"), "email").has_value());
  EXPECT_FALSE(FaultsOf(absl::InvalidArgumentError("no field here"), "no").has_value());
  EXPECT_FALSE(FaultsOf(absl::NotFoundError("email: x"), "email").has_value());
  EXPECT_FALSE(FaultsOf(absl::OkStatus(), "email").has_value());
}

TEST(Notices, ComeFromATableAndNotFromTheAddress) {
  VisitFixture fixture;
  View view;
  PutNotice(view, *fixture.Get("/users/1", "done=disabled"));
  EXPECT_TRUE(view.get("notice")->is_string());
  PutNotice(view, *fixture.Get("/users/1", "done=Send+your+password+to+evil.example"));
  EXPECT_TRUE(view.get("notice")->is_false());
}

TEST(Pages, KeepTheFilter) {
  VisitFixture fixture;
  const auto visit = fixture.Get("/messages", "state=dead&page=here");
  View view;
  PageTokens tokens;
  tokens.next = "n+1";
  PutPages(view, *visit, tokens);
  EXPECT_EQ(view.get("older")->string_value(), "/messages?state=dead&page=n%2B1");
  EXPECT_EQ(view.get("first")->string_value(), "/messages?state=dead");
  EXPECT_TRUE(view.get("newer")->is_false());
}

TEST(Pages, SizesAreBounded) {
  VisitFixture fixture;
  EXPECT_EQ(PageSize(*fixture.Get("/", "")), kRowsPerPage);
  EXPECT_EQ(PageSize(*fixture.Get("/", "size=50")), 50);
  for (const char* size : {"size=0", "size=-1", "size=x", "size=99999999999"}) {
    EXPECT_EQ(PageSize(*fixture.Get("/", size)), kRowsPerPage) << size;
  }
  EXPECT_EQ(PageSize(*fixture.Get("/", "size=1000")), kRowsPerPageMax);
}

TEST(Browsers, AreKnownByWhatTheyCallThemselves) {
  EXPECT_EQ(BrowserName("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Linux");
  EXPECT_EQ(BrowserName("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) "
                        "Chrome/140.0 Safari/537.36 Edg/140.0"),
            "Edge on Windows");
  EXPECT_EQ(BrowserName(""), "");
  EXPECT_EQ(BrowserName(std::string(100, 'x')).size(), 40u);
}

TEST(Visits, BelieveOnlySealedSessions) {
  VisitFixture fixture;
  Session session;
  session.id = std::string(16, 's');
  session.name = "Ada";
  session.refresh_expires_at_us = std::int64_t{1} << 60;
  const std::string cookie = "__Host-session=" + fixture.sealer().Seal(session);
  EXPECT_TRUE(fixture.Get("/", "", cookie)->session.has_value());
  EXPECT_FALSE(fixture.Get("/", "", "__Host-session=forged")->session.has_value());
  EXPECT_FALSE(fixture.Get("/", "", cookie + "; " + cookie)->session.has_value()) << "twice";
  session.refresh_expires_at_us = 1;
  const std::string old = "__Host-session=" + fixture.sealer().Seal(session);
  EXPECT_FALSE(fixture.Get("/", "", old)->session.has_value()) << "its time is over";
}

TEST(Visits, FormsNeedTheTokenOfTheirSession) {
  VisitFixture fixture;
  const std::string secret = CsrfTokens::NewSecret();
  const auto visit = fixture.Get("/", "", "__Host-csrf=" + secret);
  EXPECT_FALSE(visit->FormIsOurs());
  visit->form.Set("csrf", fixture.csrf().Make(secret, "another session"));
  EXPECT_FALSE(visit->FormIsOurs());
  visit->form.Set("csrf", fixture.csrf().Make(secret, ""));
  EXPECT_TRUE(visit->FormIsOurs());
  visit->request.fields.emplace_back("origin", "https://evil.example");
  EXPECT_FALSE(visit->FormIsOurs());
}

}  // namespace
}  // namespace postern::portal
