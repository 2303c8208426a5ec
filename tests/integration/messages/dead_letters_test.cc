#include "services/messages/dead_letters.h"

#include <thread>

#include "services/common/redis/queue_layout.h"
#include "services/messages/reconciler.h"
#include "tests/integration/messages/queue_fixture.h"
#include "tests/support/eventually.h"

namespace postern::messages {
namespace {

using namespace std::chrono_literals;

class DeadLettersTest : public QueueTest {
 protected:
  v1::Envelope MakeDead(const std::string& client_id = "acme",
                        const std::string& reason = "AUTHENTICATION_FAILED") {
    v1::Envelope envelope = MakeEnvelope(client_id);
    EXPECT_TRUE(Deliver(*writer_, {envelope}, reason).get().status.ok());
    return envelope;
  }
  RedrivePart Redrive(const DeadLetterFilter& filter, int limit = 1000,
                      const Uuid& after = Uuid()) {
    const auto part =
        RedriveDeadLetters(*connection_, *queue_, filter, after, limit, "operator/test");
    EXPECT_TRUE(part.ok()) << part.status();
    return part.value_or(RedrivePart{});
  }
  // As the worker gets it from the queue.
  v1::Envelope Redriven(const v1::Envelope& envelope, std::uint32_t epoch = 2) {
    v1::Envelope next = envelope;
    next.set_epoch(epoch);
    return next;
  }
  std::string Row(const v1::Envelope& envelope) {
    std::string row;
    EXPECT_TRUE(connection_
                    ->Query("SELECT CONCAT_WS(' ', state, epoch, attempts, reason, last_error)"
                            " FROM pending WHERE id = ?",
                            {std::string_view(envelope.id())},
                            [&](const db::Row& found) {
                              row = found.String(0);
                              return absl::OkStatus();
                            })
                    .ok());
    return row;
  }
};

TEST_F(DeadLettersTest, AreCountedByReason) {
  for (int i = 0; i < 3; ++i) MakeDead(StrCat("client-", i));
  MakeDead("acme", "NOT_STORABLE");
  RegisterAt(MakeEnvelope(), "");
  const auto groups = SummarizeDeadLetters(*connection_, {});
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 2U);
  EXPECT_EQ((*groups)[0].reason, "AUTHENTICATION_FAILED");
  EXPECT_EQ((*groups)[0].count, 3);
  EXPECT_EQ((*groups)[0].clients, 3);
  EXPECT_GT((*groups)[0].last_accepted_at_us, (*groups)[0].first_accepted_at_us);
  EXPECT_EQ((*groups)[1].count, 1);
  DeadLetterFilter filter;
  filter.client_id = "acme";
  EXPECT_EQ(SummarizeDeadLetters(*connection_, filter)->size(), 1U);
}

TEST_F(DeadLettersTest, ARedriveStartsTheNextEpochInRegisterAndQueue) {
  const v1::Envelope dead = MakeDead();
  const v1::Envelope other = MakeDead("other", "NOT_STORABLE");
  DeadLetterFilter filter;
  filter.reason = "AUTHENTICATION_FAILED";
  const RedrivePart part = Redrive(filter);
  EXPECT_EQ(part.redriven, 1);
  EXPECT_TRUE(part.end);
  EXPECT_EQ(Row(dead), "1 2 0  ");
  EXPECT_EQ(Number("SELECT COUNT(*) FROM audit_log WHERE actor = 'operator/test' AND action = "
                   "'dead_letter.redrive'"),
            1);
  EXPECT_EQ(Row(other), "4 1 1 NOT_STORABLE ");
  EXPECT_EQ(Entries(dead), 1);
  EXPECT_EQ(Command({"GET", redis::RequeuedKey(redis::ShardOf("acme"))}), "1");
  // The reconciler has nothing to add.
  Reconciler::Settings settings;
  settings.holder = "server-a";
  settings.grace = -1s;
  EXPECT_EQ(Reconciler(settings, *queue_, metrics_).RunOnce(*connection_)->requeued, 0);
  // Once is enough.
  EXPECT_EQ(Redrive(filter).redriven, 0);
  ASSERT_TRUE(Deliver(*writer_, {Redriven(dead)}).get().status.ok());
  EXPECT_EQ(Number("SELECT epoch FROM messages"), 2);
  EXPECT_EQ(PendingRows(), 1);
}

TEST_F(DeadLettersTest, GoesOnByPartsAndSkipsWhatIsNoMessage) {
  for (int i = 0; i < 5; ++i) MakeDead();
  ASSERT_TRUE(
      connection_->Execute("UPDATE pending SET envelope = 'junk' ORDER BY id LIMIT 1").ok());
  DeadLetterFilter filter;
  filter.client_id = "acme";
  std::int64_t redriven = 0;
  std::int64_t skipped = 0;
  RedrivePart part;
  int parts = 0;
  do {
    part = Redrive(filter, 2, part.last);
    redriven += part.redriven;
    skipped += part.skipped;
    ++parts;
  } while (!part.end);
  EXPECT_EQ(redriven, 4);
  EXPECT_EQ(skipped, 1);
  EXPECT_EQ(parts, 3);
}

TEST_F(DeadLettersTest, TwoOperatorsBringEachBackOnce) {
  for (int i = 0; i < 300; ++i) MakeDead();
  DeadLetterFilter filter;
  filter.client_id = "acme";
  std::atomic<std::int64_t> redriven{0};
  const auto drive = [&] {
    const db::DriverThread driver;
    auto connection = db::Connection::Open(Server().SettingsFor("postern_server", schema_));
    ASSERT_TRUE(connection.ok());
    QueueClient queue(SettingsOfQueue());
    RedrivePart part;
    do {
      const auto next =
          RedriveDeadLetters(**connection, queue, filter, part.last, 40, "operator/test");
      if (absl::IsAborted(next.status())) continue;
      ASSERT_TRUE(next.ok()) << next.status();
      part = *next;
      redriven += part.redriven;
    } while (!part.end);
  };
  std::thread one(drive);
  std::thread two(drive);
  one.join();
  two.join();
  EXPECT_EQ(redriven, 300);
  EXPECT_EQ(Command({"XLEN", redis::StreamKey(redis::ShardOf("acme"))}), "300");
}

TEST_F(DeadLettersTest, WithTheQueueAwayTheReconcilerMakesTheEntry) {
  const v1::Envelope dead = MakeDead();
  redis_->Kill();
  DeadLetterFilter filter;
  filter.client_id = "acme";
  EXPECT_EQ(Redrive(filter).redriven, 1);
  ASSERT_TRUE(redis_->StartAgain().ok());
  Reconciler::Settings settings;
  settings.holder = "server-a";
  settings.grace = -1s;
  Reconciler reconciler(settings, *queue_, metrics_);
  std::int64_t requeued = 0;
  EXPECT_TRUE(test::Eventually([&] {
    const auto result = reconciler.RunOnce(*connection_);
    if (result.ok()) requeued += result->requeued;
    return requeued == 1;
  }));
}

TEST_F(DeadLettersTest, WhatIsSaidOfAnEarlierEpochChangesNothing) {
  const v1::Envelope first = MakeDead();
  DeadLetterFilter filter;
  filter.ids = {IdOf(first)};
  ASSERT_EQ(Redrive(filter).redriven, 1);
  // Late, and by a clock that is ahead. The worker hears that its entry is to go.
  const std::int64_t later_us = NowMicros() + 60'000'000;
  EXPECT_EQ(Fail(*writer_, first, later_us).get().outcomes.at(0).kind, Outcome::Kind::kDead);
  EXPECT_EQ(Row(first), "1 2 0  ");
  const auto buried = Deliver(*writer_, {first}, "AUTHENTICATION_FAILED").get();
  ASSERT_TRUE(buried.status.ok());
  EXPECT_EQ(buried.outcomes.at(0).kind, Outcome::Kind::kDead);
  EXPECT_EQ(Row(first), "1 2 0  ");
  // What is said of this one counts.
  EXPECT_EQ(Fail(*writer_, Redriven(first), NowMicros()).get().outcomes.at(0).kind,
            Outcome::Kind::kStored);
  EXPECT_EQ(Row(first), "2 2 1 DEADLINE_EXCEEDED DEADLINE_EXCEEDED");
}

class AttemptsTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    QueueTest::SetUp();
    MessageWriter::Settings settings = WriterSettings();
    settings.registration_hold = 0ms;
    settings.attempts_max = 3;
    writer_ = MakeWriter(settings);
  }
};

TEST_F(AttemptsTest, TheLastOneThatIsAllowedMakesItDead) {
  const v1::Envelope envelope = MakeEnvelope();
  RegisterAt(envelope, Add(envelope));
  const std::int64_t at_us = NowMicros();
  EXPECT_EQ(Fail(*writer_, envelope, at_us).get().outcomes.at(0).kind, Outcome::Kind::kStored);
  // Twice the same report is one attempt.
  Fail(*writer_, envelope, at_us).get();
  EXPECT_EQ(Fail(*writer_, envelope, at_us + 1, "INTERNAL").get().outcomes.at(0).kind,
            Outcome::Kind::kStored);
  EXPECT_EQ(Row(envelope), "2 1 2 INTERNAL INTERNAL");
  EXPECT_EQ(Fail(*writer_, envelope, at_us + 2).get().outcomes.at(0).kind, Outcome::Kind::kDead);
  EXPECT_EQ(Row(envelope), "4 1 3 ATTEMPTS_EXHAUSTED DEADLINE_EXCEEDED");
  // And stays so.
  Fail(*writer_, envelope, at_us + 3, "INTERNAL").get();
  EXPECT_EQ(Row(envelope), "4 1 3 ATTEMPTS_EXHAUSTED DEADLINE_EXCEEDED");
  EXPECT_EQ(Deliver(*writer_, {envelope}).get().outcomes.at(0).kind, Outcome::Kind::kDead);
  EXPECT_EQ(DeliveredRows(), 0);
  // Brought back, it has them all again.
  DeadLetterFilter filter;
  filter.reason = "ATTEMPTS_EXHAUSTED";
  ASSERT_EQ(Redrive(filter).redriven, 1);
  EXPECT_EQ(Fail(*writer_, Redriven(envelope), NowMicros()).get().outcomes.at(0).kind,
            Outcome::Kind::kStored);
}

TEST_F(AttemptsTest, AMessageThatWasNeverRegisteredIsCountedToo) {
  const v1::Envelope envelope = MakeEnvelope();
  const std::int64_t at_us = NowMicros();
  for (int i = 0; i < 2; ++i) Fail(*writer_, envelope, at_us + i).get();
  EXPECT_EQ(Fail(*writer_, envelope, at_us + 2).get().outcomes.at(0).kind, Outcome::Kind::kDead);
}

}  // namespace
}  // namespace postern::messages
