#include "portal/pages/message_filter.h"

#include <gtest/gtest.h>

#include "tests/unit/portal/visit_fixture.h"

namespace postern::portal {
namespace {

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;

class MessageFilterTest : public ::testing::Test {
 protected:
  v1::ListMessagesRequest Asked(const std::string& query, const std::string& cookie = "") {
    visit_ = fixture_.Get("/messages", query, cookie);
    const MessageFilter filter(*visit_);
    faults_ = filter.faults();
    v1::ListMessagesRequest request;
    filter.Apply(request);
    return request;
  }
  // Labels of the chips and where their crosses lead.
  std::vector<std::pair<std::string, std::string>> Chips(const std::string& query) {
    visit_ = fixture_.Get("/messages", query);
    View view;
    MessageFilter(*visit_).Show(view, *visit_);
    std::vector<std::pair<std::string, std::string>> chips;
    const View* const shown = view.get("chips");
    for (const View& chip : shown->list_value()) {
      chips.emplace_back(chip.get("label")->string_value(), chip.get("remove")->string_value());
    }
    return chips;
  }

  VisitFixture fixture_;
  std::unique_ptr<Visit> visit_;
  Faults faults_;
};

TEST_F(MessageFilterTest, AnAddressIsARequest) {
  const auto request = Asked(
      "range=24h&state=dead&state=retrying&client=+acme+&number=%2B1+(415)+555-0123&ref=o-1"
      "&reason=ATTEMPTS_EXHAUSTED");
  EXPECT_TRUE(faults_.empty());
  EXPECT_EQ(request.accepted_from_us(), visit_->now_us - 24 * kHour);
  EXPECT_EQ(request.accepted_until_us(), 0);
  EXPECT_EQ(request.states_size(), 2);
  EXPECT_EQ(request.client_id(), "acme");
  EXPECT_EQ(request.sender_number(), "+14155550123");
  EXPECT_EQ(request.client_ref(), "o-1");
  EXPECT_EQ(request.reason(), "ATTEMPTS_EXHAUSTED");
}

TEST_F(MessageFilterTest, TimesAreOfTheZone) {
  const auto request =
      Asked("from=2026-07-01T14:00&until=2026-07-01T15:00", "__Host-zone=Europe%2FBerlin");
  EXPECT_TRUE(faults_.empty());
  EXPECT_EQ(request.accepted_from_us(), 1'782'907'200'000'000);
  EXPECT_EQ(request.accepted_until_us() - request.accepted_from_us(), kHour);
}

TEST_F(MessageFilterTest, WrongValuesNameTheirField) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"range=2y", "range"},
      {"state=lost", "state"},
      {"from=yesterday", "from"},
      {"until=%3Cscript%3E", "until"},
      {"from=2026-07-02T00:00&until=2026-07-01T00:00", "until"},
      {"number=12345", "number"},
      {"number=%2B14155550123x", "number"},
      {"number='+OR+1=1", "number"},
      {"number=%2B0123456789", "number"},
      {"client=" + std::string(65, 'a'), "client"},
      {"ref=" + std::string(65, 'a'), "ref"},
  };
  for (const auto& [query, field] : cases) {
    Asked(query);
    EXPECT_EQ(faults_.size(), 1u) << query;
    EXPECT_TRUE(faults_.contains(field)) << query;
  }
}

TEST_F(MessageFilterTest, EachChipTakesItsOwnFilterAwayAndGoesToTheFirstPage) {
  const auto chips = Chips("range=1h&state=dead&state=queued&client=acme&page=token&done=x");
  ASSERT_EQ(chips.size(), 4u);
  EXPECT_EQ(chips[0], std::pair(std::string("Last hour"),
                                std::string("/messages?state=dead&state=queued&client=acme")));
  EXPECT_EQ(chips[1], std::pair(std::string("Dead"),
                                std::string("/messages?range=1h&state=queued&client=acme")));
  EXPECT_EQ(chips[3].first, "Client acme");
  EXPECT_EQ(chips[3].second, "/messages?range=1h&state=dead&state=queued");
}

TEST_F(MessageFilterTest, NoFilterIsNoChip) { EXPECT_TRUE(Chips("page=abc&size=50").empty()); }

}  // namespace
}  // namespace postern::portal
