#include "services/messages/ledger.h"

#include <filesystem>

#include "services/common/redis/command.h"
#include "services/messages/reconciler.h"
#include "tests/integration/messages/queue_fixture.h"
#include "tests/support/eventually.h"

namespace postern::messages {
namespace {

using namespace std::chrono_literals;

class LedgerTest : public QueueTest {
 protected:
  Ledger::Settings LedgerSettings() const {
    Ledger::Settings settings;
    settings.database = Server().SettingsFor("postern_server", schema_);
    settings.holder = "server-a";
    settings.interval = 20ms;
    settings.settle = 0ms;
    return settings;
  }
  LedgerFigures Sample(Ledger& ledger) {
    auto figures = ledger.SampleOnce(*connection_);
    EXPECT_TRUE(figures.ok()) << figures.status();
    return figures.value_or(LedgerFigures{});
  }
  // As the worker does: delivers, then removes the entry.
  void DeliverAndRemove(const v1::Envelope& envelope, const std::string& entry_id) {
    ASSERT_TRUE(Deliver(*writer_, {envelope}).get().status.ok());
    ASSERT_EQ(Command({"XDEL", redis::StreamKey(redis::ShardOf(envelope.client_id())), entry_id}),
              "1");
  }
};

TEST_F(LedgerTest, FollowsAMessageAndCloses) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  EXPECT_FALSE(ledger.latest().ok());
  EXPECT_TRUE(Sample(ledger).closed);
  const v1::Envelope envelope = MakeEnvelope();
  const std::string entry = Add(envelope);
  LedgerFigures figures = Sample(ledger);
  EXPECT_EQ(figures.accepted, 1);
  EXPECT_EQ(figures.gap, 1);
  EXPECT_EQ(figures.queued_entries, 1);
  EXPECT_TRUE(figures.closed) << "in the queue and not registered yet";
  RegisterAt(envelope, entry);
  figures = Sample(ledger);
  EXPECT_EQ(figures.pending, 1);
  EXPECT_EQ(figures.gap, 0);
  DeliverAndRemove(envelope, entry);
  figures = Sample(ledger);
  EXPECT_EQ(figures.delivered, 1);
  EXPECT_EQ(figures.pending, 0);
  EXPECT_EQ(figures.queued_entries, 0);
  EXPECT_EQ(figures.gap, 0);
  EXPECT_TRUE(figures.closed);
  EXPECT_EQ(ledger.latest()->delivered, 1);
  EXPECT_EQ(Metric("postern_ledger_closed"), 1);
  EXPECT_EQ(Metric("postern_ledger_delivered"), 1);
}

TEST_F(LedgerTest, SeesAMessageThatGotLost) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  const v1::Envelope envelope = MakeEnvelope();
  const std::string entry = Add(envelope);
  ASSERT_EQ(Command({"XDEL", redis::StreamKey(redis::ShardOf("acme")), entry}), "1");
  const LedgerFigures figures = Sample(ledger);
  EXPECT_EQ(figures.gap, 1);
  EXPECT_FALSE(figures.closed);
}

TEST_F(LedgerTest, SeesAMessageCountedTwice) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  const v1::Envelope envelope = MakeEnvelope();
  DeliverAndRemove(envelope, Add(envelope));
  ASSERT_TRUE(connection_->Execute("UPDATE ledger_delivered SET delivered = 2").ok());
  const LedgerFigures figures = Sample(ledger);
  EXPECT_EQ(figures.gap, -1);
  EXPECT_FALSE(figures.closed);
}

TEST_F(LedgerTest, AFlushedAndHealedQueueKeepsItsHistory) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  const v1::Envelope delivered = MakeEnvelope();
  DeliverAndRemove(delivered, Add(delivered));
  const v1::Envelope waiting = MakeEnvelope();
  RegisterAt(waiting, Add(waiting));
  EXPECT_EQ(Sample(ledger).accepted, 2);
  // Taken after the last sample.
  const v1::Envelope late = MakeEnvelope();
  RegisterAt(late, Add(late));
  Flush();
  EXPECT_EQ(Sample(ledger).queued_entries, 0);
  Reconciler::Settings healing;
  healing.database = Server().SettingsFor("postern_server", schema_);
  healing.holder = "server-a";
  healing.grace = -1s;
  Reconciler reconciler(healing, *queue_, metrics_);
  EXPECT_EQ(reconciler.RunOnce(*connection_)->requeued, 2);
  for (const v1::Envelope& envelope : {waiting, late}) {
    ASSERT_TRUE(Deliver(*writer_, {envelope}).get().status.ok());
  }
  const std::string key = redis::StreamKey(redis::ShardOf("acme"));
  Command({"XTRIM", key, "MAXLEN", "0"});
  const LedgerFigures figures = Sample(ledger);
  EXPECT_EQ(figures.accepted, 3);
  EXPECT_EQ(figures.delivered, 3);
  EXPECT_EQ(figures.gap, 0);
  EXPECT_TRUE(figures.closed);
  EXPECT_EQ(Metric("postern_ledger_made_good_total"), 1);
}

TEST_F(LedgerTest, WhatAFlushTookForGoodStaysVisible) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  Add(MakeEnvelope());
  EXPECT_EQ(Sample(ledger).accepted, 1);
  Flush();
  for (int i = 0; i < 3; ++i) {
    const LedgerFigures figures = Sample(ledger);
    EXPECT_EQ(figures.gap, 1);
    EXPECT_FALSE(figures.closed);
  }
}

// Redis came back with the append-only file of a backup: what it counts again was counted before.
TEST_F(LedgerTest, AnOlderRestoredQueueIsNotCountedTwice) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  const v1::Envelope first = MakeEnvelope();
  const std::string first_entry = Add(first);
  RegisterAt(first, first_entry);
  EXPECT_EQ(Sample(ledger).accepted, 1);
  const std::string backup = redis_->folder() + "-backup";
  std::filesystem::copy(redis_->folder() + "/appendonlydir", backup);
  const auto restore = [&] {
    redis_->Kill();
    std::filesystem::remove_all(redis_->folder() + "/appendonlydir");
    std::filesystem::copy(backup, redis_->folder() + "/appendonlydir");
    ASSERT_TRUE(redis_->StartAgain().ok());
    // The first tries find connections that are gone.
    ASSERT_TRUE(test::Eventually([&] { return ledger.SampleOnce(*connection_).ok(); }));
    std::string ping;
    redis::AppendCommand(ping, "PING");
    ASSERT_TRUE(test::Eventually([&] { return admin_->Exchange(ping, 1).ok(); }));
  };
  DeliverAndRemove(first, first_entry);
  const v1::Envelope second = MakeEnvelope();
  DeliverAndRemove(second, Add(second));
  EXPECT_EQ(Sample(ledger).accepted, 2);
  for (int times = 0; times < 2; ++times) {
    restore();
    LedgerFigures figures = Sample(ledger);
    EXPECT_EQ(figures.accepted, 2);
    EXPECT_EQ(figures.queued_entries, 1) << "it is delivered again, which changes nothing";
    EXPECT_TRUE(figures.closed);
    // After a flush in between the backup is of another life.
    if (times == 0) {
      Flush();
      EXPECT_EQ(Sample(ledger).accepted, 2);
    }
  }
  DeliverAndRemove(first, first_entry);
  const LedgerFigures figures = Sample(ledger);
  EXPECT_EQ(figures.accepted, 2);
  EXPECT_EQ(figures.gap, 0);
  EXPECT_TRUE(figures.closed);
  std::filesystem::remove_all(backup);
}

TEST_F(LedgerTest, TheThreadSamples) {
  Ledger ledger(LedgerSettings(), *queue_, metrics_);
  ledger.Start();
  EXPECT_TRUE(test::Eventually([&] { return ledger.latest().ok(); }));
  Add(MakeEnvelope());
  EXPECT_TRUE(test::Eventually([&] { return ledger.latest()->accepted == 1; }));
  ledger.Stop();
}

}  // namespace
}  // namespace postern::messages
