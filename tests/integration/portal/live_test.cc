#include <gmock/gmock.h>

#include "services/common/base/strings.h"
#include "tests/integration/portal/portal_fixture.h"
#include "tests/support/eventually.h"

namespace postern::portal::test {
namespace {

using ::testing::HasSubstr;

class LiveTest : public PortalFixture {
 protected:
  LiveTest() : browser_((StartPortal(), portal_->port())) { browser_.SignIn("bob@example.org"); }
  std::unique_ptr<postern::test::TlsClient> Open() const { return OpenFor(browser_); }
  std::unique_ptr<postern::test::TlsClient> OpenFor(const Browser& browser) const {
    postern::test::TlsClient::Options options;
    options.port = portal_->port();
    auto client = std::make_unique<postern::test::TlsClient>(options);
    client->Send(
        StrCat("GET /events HTTP/1.1\r\nHost: localhost\r\n", browser.CookieField(), "\r\n"));
    return client;
  }
  Browser browser_;
};

TEST_F(LiveTest, SaysThatFiguresHaveChangedAndEndsWithTheSession) {
  auto stream = Open();
  ASSERT_TRUE(postern::test::Eventually([&] { return server_->calls("GetOverview") > 1; }));
  server_->Accept();
  const int before = server_->calls("GetOverview");
  ASSERT_TRUE(
      postern::test::Eventually([&] { return server_->calls("GetOverview") > before + 1; }));
  server_->EndSessions();
  const std::string all = stream->ReadAll();
  EXPECT_THAT(all, HasSubstr("text/event-stream"));
  EXPECT_THAT(all, HasSubstr("retry: 3000"));
  const std::size_t first = all.find("event: changed");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(all.find("event: changed", first + 1), std::string::npos) << all;
}

// Pages that were left without a word are noticed late: the newest ones count.
TEST_F(LiveTest, ANewStreamTakesThePlaceOfTheOldestOfItsSession) {
  std::vector<std::unique_ptr<postern::test::TlsClient>> streams;
  for (std::size_t i = 0; i <= kLivePerSession; ++i) {
    streams.push_back(Open());
    ASSERT_TRUE(streams.back()->SkipPast("event: changed")) << i;
  }
  EXPECT_THAT(streams.front()->ReadAll(), HasSubstr("event: replaced"));
  server_->Accept();
  for (std::size_t i = 1; i < streams.size(); ++i) {
    EXPECT_TRUE(streams[i]->SkipPast("event: changed")) << i;
  }
}

TEST_F(LiveTest, SessionsDoNotTakeEachOthersPlaces) {
  auto other = Open();
  ASSERT_TRUE(other->SkipPast("event: changed"));
  Browser ada = NewBrowser();
  ada.SignIn("ada@example.org");
  std::vector<std::unique_ptr<postern::test::TlsClient>> streams;
  for (std::size_t i = 0; i < kLivePerSession; ++i) {
    streams.push_back(OpenFor(ada));
    ASSERT_TRUE(streams.back()->SkipPast("event: changed")) << i;
  }
  server_->Accept();
  EXPECT_TRUE(other->SkipPast("event: changed"));
}

TEST_F(LiveTest, IsNotForStrangers) {
  Browser stranger = NewBrowser();
  EXPECT_EQ(stranger.Get("/events").status, 403);
}

TEST_F(LiveTest, AStoppingPortalEndsIt) {
  auto stream = Open();
  ASSERT_TRUE(stream->SkipPast("event: changed"));
  portal_->Stop();
  stream->ReadAll();
  EXPECT_FALSE(stream->reset());
}

}  // namespace
}  // namespace postern::portal::test
