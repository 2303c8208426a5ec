#include "services/messages/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/messages/message_repository.h"
#include "tests/integration/messages/register_fixture.h"

namespace postern::messages {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr std::int64_t kMicrosPerHour = 3'600'000'000;

std::int64_t NowHour() { return NowMicros() / kMicrosPerHour; }

class RetentionTest : public RegisterTest {
 protected:
  void SetUp() override {
    RegisterTest::SetUp();
    MessageWriter::Settings settings = WriterSettings();
    settings.registration_hold = 0ms;
    writer_ = MakeWriter(settings);
  }

  static Retention::Settings Settings(std::int64_t keep_hours) {
    Retention::Settings settings;
    settings.holder = "here";
    settings.rules.ahead_hours = 48;
    settings.rules.keep_hours = keep_hours;
    return settings;
  }
  Retention::Report Run(Retention& retention, bool dry_run = false, bool split_large = false) {
    auto report = retention.RunOnce(*connection_, {dry_run, split_large});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : Retention::Report();
  }
  // A message whose id says that it was made so many hours ago.
  v1::Envelope MakeOld(std::int64_t hours) {
    v1::Envelope envelope = MakeEnvelope();
    std::string id = FirstIdAt(NowMicros() - hours * kMicrosPerHour);
    id.replace(6, 10, envelope.id(), 6, 10);
    envelope.set_id(id);
    return envelope;
  }
  void Deliver(const std::vector<v1::Envelope>& envelopes) {
    const Answer answer = RegisterTest::Deliver(*writer_, envelopes).get();
    ASSERT_TRUE(answer.status.ok()) << answer.status;
  }
  // Partitions that a server made in better times.
  void AddPartition(std::int64_t from_hour, std::int64_t hours) {
    const auto done = connection_->Execute("CALL add_messages_partition(?, ?)", {from_hour, hours});
    ASSERT_TRUE(done.ok()) << done.status();
  }
  std::int64_t RowsIn(const std::string& partition) {
    return Number(StrCat("SELECT COUNT(*) FROM messages PARTITION (", partition, ")"));
  }

  std::unique_ptr<MessageWriter> writer_;
};

TEST_F(RetentionTest, CutsAheadAndMessagesGoWhereTheyBelong) {
  Deliver({MakeEnvelope(), MakeOld(24 * 30)});
  Retention retention(Settings(0), metrics_);
  const auto report = Run(retention);
  ASSERT_THAT(report.added, SizeIs(::testing::Ge(2U)));
  EXPECT_GE(report.partitions.back().until_hour(), NowHour() + 48);
  Deliver({MakeEnvelope(), MakeOld(24 * 30)});
  EXPECT_EQ(DeliveredRows(), 4);
  EXPECT_EQ(RowsIn("p_rest"), 0);
  EXPECT_EQ(RowsIn(report.added.front().Name()), 4);
  EXPECT_THAT(Run(retention).added, IsEmpty());
  EXPECT_GE(Metric("postern_partitions_ahead_seconds"), 47 * 3600);
  EXPECT_EQ(Metric("postern_retention_lag_seconds"), 0);
}

TEST_F(RetentionTest, DropsOldMessagesAndNothingUndelivered) {
  const std::int64_t today = NowHour() / 24 * 24;
  for (std::int64_t day = 10; day > 0; --day) AddPartition(today - day * 24, 24);
  const v1::Envelope old_pending = MakeOld(24 * 9);
  const v1::Envelope kept = MakeOld(24 * 3);
  Deliver({MakeOld(24 * 9), MakeOld(24 * 8), kept, MakeEnvelope()});
  ASSERT_TRUE(Register(*writer_, {old_pending}).get().status.ok());
  ASSERT_TRUE(RegisterTest::Deliver(*writer_, {MakeOld(24 * 9)}, "AUTHENTICATION_FAILED")
                  .get()
                  .status.ok());
  ASSERT_EQ(PendingRows(), 2);

  Retention retention(Settings(24 * 4), metrics_);
  EXPECT_THAT(Run(retention, /*dry_run=*/true).dropped, IsEmpty());
  EXPECT_EQ(DeliveredRows(), 4);
  // More than one run does at once.
  while (!Run(retention).dropped.empty()) {
  }
  EXPECT_EQ(DeliveredRows(), 2);
  EXPECT_EQ(PendingRows(), 2);
  const auto found = FindMessage(*connection_, IdOf(kept), "");
  EXPECT_TRUE(found.ok() && found->has_value());
  EXPECT_GE(Metric("postern_retention_dropped_partitions_total"), 5);
  // What lies in the queue for so long is still delivered, once.
  Deliver({old_pending});
  EXPECT_EQ(PendingRows(), 1);
  EXPECT_EQ(DeliveredRows(), 3);
}

TEST_F(RetentionTest, ADryRunSaysWhatWouldBeDone) {
  AddPartition(NowHour() - 24 * 20, 24);
  AddPartition(NowHour() - 24 * 19, 24);
  Retention retention(Settings(24), metrics_);
  const auto report = Run(retention, /*dry_run=*/true);
  EXPECT_THAT(report.plan.drop, SizeIs(1));
  EXPECT_THAT(report.plan.add, Not(IsEmpty()));
  EXPECT_THAT(report.added, IsEmpty());
  EXPECT_THAT(Run(retention, /*dry_run=*/true).partitions, SizeIs(2));
}

TEST_F(RetentionTest, OneServerAtATime) {
  Retention first(Settings(0), metrics_);
  Run(first);
  Retention::Settings other = Settings(0);
  other.holder = "elsewhere";
  Retention second(std::move(other), metrics_);
  EXPECT_TRUE(absl::IsAborted(second.RunOnce(*connection_, {}).status()));
  EXPECT_TRUE(second.RunOnce(*connection_, {true, false}).ok());
}

TEST_F(RetentionTest, ALargeCatchAllPartitionIsSplitOnlyWhenTold) {
  Deliver({MakeEnvelope(), MakeEnvelope(), MakeEnvelope()});
  ASSERT_TRUE(
      connection_
          ->Query("ANALYZE TABLE messages", {}, [](const db::Row&) { return absl::OkStatus(); })
          .ok());
  Retention::Settings settings = Settings(0);
  settings.rest_rows_max = 1;
  Retention retention(std::move(settings), metrics_);
  const auto held = Run(retention);
  EXPECT_THAT(held.held_up, HasSubstr("--split-large"));
  EXPECT_THAT(held.added, IsEmpty());
  EXPECT_THAT(Run(retention, false, /*split_large=*/true).added, Not(IsEmpty()));
  EXPECT_EQ(DeliveredRows(), 3);
}

TEST_F(RetentionTest, DeliveriesGoOnWhileTheTableIsCut) {
  std::atomic<bool> stop{false};
  std::int64_t delivered = 0;
  std::thread load([&] {
    while (!stop) {
      const Answer answer = RegisterTest::Deliver(*writer_, {MakeEnvelope(), MakeEnvelope()}).get();
      EXPECT_TRUE(answer.status.ok()) << answer.status;
      delivered += 2;
    }
  });
  Retention::Settings settings = Settings(0);
  settings.rules.hours = 1;
  settings.rules.ahead_hours = 24;
  Retention retention(std::move(settings), metrics_);
  while (!Run(retention).added.empty()) {
  }
  stop = true;
  load.join();
  EXPECT_EQ(DeliveredRows(), delivered);
  EXPECT_EQ(CountedDelivered(), delivered);
  EXPECT_EQ(RowsIn("p_rest"), 0);
}

}  // namespace
}  // namespace postern::messages
