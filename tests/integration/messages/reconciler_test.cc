#include "services/messages/reconciler.h"

#include <gmock/gmock.h>

#include <map>
#include <thread>

#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/row_lease.h"
#include "services/messages/unheld_sweep.h"
#include "tests/integration/messages/queue_fixture.h"
#include "tests/support/eventually.h"

namespace postern::messages {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Pair;

class ReconcilerTest : public QueueTest {
 protected:
  Reconciler::Settings ReconcilerSettings(const std::string& holder = "server-a") const {
    Reconciler::Settings settings;
    settings.database = Server().SettingsFor("postern_server", schema_);
    settings.holder = holder;
    settings.interval = 20ms;
    settings.grace = -1s;  // Nothing is too young.
    return settings;
  }
  Reconciler::Result RunOnce(Reconciler& reconciler) {
    auto result = reconciler.RunOnce(*connection_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(Reconciler::Result{});
  }
  // A run that finds nothing more starts again from the first row.
  Reconciler::Result Round(Reconciler& reconciler) {
    Reconciler::Result sum;
    Reconciler::Result result;
    do {
      result = RunOnce(reconciler);
      sum.Add(result);
      sum.leader = result.leader;
    } while (result.looked_at == 500 * 20);
    return sum;
  }
  std::string EntryIdInRow(const v1::Envelope& envelope) {
    std::string entry_id;
    EXPECT_TRUE(connection_
                    ->Query("SELECT entry_id FROM pending WHERE id = ?",
                            {std::string_view(envelope.id())},
                            [&](const db::Row& row) {
                              entry_id = row.String(0);
                              return absl::OkStatus();
                            })
                    .ok());
    return entry_id;
  }
};

TEST_F(ReconcilerTest, PutsBackExactlyWhatIsMissingAndOnlyOnce) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  const v1::Envelope there = MakeEnvelope("acme");
  const v1::Envelope lost = MakeEnvelope("acme");
  const std::string entry = Add(there);
  RegisterAt(there, entry);
  RegisterAt(lost, Add(lost));
  ASSERT_EQ(Command({"XDEL", redis::StreamKey(redis::ShardOf("acme")), EntryIdInRow(lost)}), "1");

  const Reconciler::Result first = Round(reconciler);
  EXPECT_TRUE(first.leader);
  EXPECT_EQ(first.looked_at, 2);
  EXPECT_EQ(first.requeued, 1);
  EXPECT_EQ(Entries(there), 2);
  EXPECT_EQ(EntryIdInRow(there), entry);
  const std::string again = EntryIdInRow(lost);
  // Looking again and again adds nothing.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Round(reconciler).requeued, 0);
  EXPECT_EQ(EntryIdInRow(lost), again);
  EXPECT_EQ(Command({"GET", redis::RequeuedKey(redis::ShardOf("acme"))}), "1");
}

TEST_F(ReconcilerTest, HealsAFlushedQueue) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  std::vector<v1::Envelope> envelopes;
  for (int i = 0; i < 30; ++i) {
    envelopes.push_back(MakeEnvelope(StrCat("client-", i % 7)));
    RegisterAt(envelopes.back(), Add(envelopes.back()));
  }
  Flush();
  EXPECT_EQ(Round(reconciler).requeued, 30);
  EXPECT_EQ(Round(reconciler).requeued, 0);
  std::int64_t entries = 0;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    entries += std::stoll(Command({"XLEN", redis::StreamKey(shard)}));
  }
  EXPECT_EQ(entries, 30);
}

TEST_F(ReconcilerTest, LooksAtManyLargeMessages) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  v1::RegisterMessagesRequest request;
  std::vector<RegistrationItem> items;
  for (int i = 0; i < 700; ++i) {
    v1::Registration& registration = *request.add_registrations();
    *registration.mutable_envelope() = MakeEnvelope("acme", std::string(4000, 'b'));
    registration.mutable_position()->set_shard(redis::ShardOf("acme"));
    registration.mutable_position()->set_entry_id(Add(registration.envelope()));
    items.push_back({IdOf(registration.envelope()), &registration, NowMicros()});
  }
  std::promise<absl::Status> done;
  ASSERT_TRUE(writer_->TryRegister(
      std::move(items), Deadline::After(20s),
      [&done](absl::Status status, std::vector<Outcome>) { done.set_value(std::move(status)); }));
  ASSERT_TRUE(done.get_future().get().ok());
  const Reconciler::Result result = Round(reconciler);
  EXPECT_EQ(result.looked_at, 700);
  EXPECT_EQ(result.requeued, 0);
}

TEST_F(ReconcilerTest, GivesARowWithoutEntryOne) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  const v1::Envelope envelope = MakeEnvelope();
  RegisterAt(envelope, "");
  EXPECT_EQ(Round(reconciler).requeued, 1);
  EXPECT_EQ(Entries(envelope), 1);
  EXPECT_EQ(Round(reconciler).requeued, 0);
}

TEST_F(ReconcilerTest, LeavesYoungAndDeadRowsAlone) {
  const v1::Envelope dead = MakeEnvelope();
  ASSERT_TRUE(Deliver(*writer_, {dead}, "AUTHENTICATION_FAILED").get().status.ok());
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  EXPECT_EQ(Round(reconciler).looked_at, 0);
  Reconciler::Settings settings = ReconcilerSettings();
  settings.grace = 1h;
  Reconciler patient(settings, *queue_, metrics_);
  RegisterAt(MakeEnvelope(), "");
  EXPECT_EQ(Round(patient).looked_at, 0);
}

TEST_F(ReconcilerTest, RemovesRowsWhoseMessageIsDelivered) {
  const v1::Envelope envelope = MakeEnvelope();
  RegisterAt(envelope, "");
  ASSERT_TRUE(connection_->Execute("UPDATE pending SET id = REVERSE(id)").ok());
  ASSERT_TRUE(Deliver(*writer_, {envelope}).get().status.ok());
  ASSERT_TRUE(connection_->Execute("UPDATE pending SET id = REVERSE(id)").ok());
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  const Reconciler::Result result = Round(reconciler);
  EXPECT_EQ(result.removed, 1);
  EXPECT_EQ(result.requeued, 0);
  EXPECT_EQ(PendingRows(), 0);
  EXPECT_EQ(Entries(envelope), 0);
}

TEST_F(ReconcilerTest, OnlyTheHolderOfTheLeaseWorks) {
  RegisterAt(MakeEnvelope(), "");
  const RowLease other("reconciler", "server-b", 1h);
  ASSERT_TRUE(other.Acquire(*connection_)->has_value());
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  const Reconciler::Result idle = RunOnce(reconciler);
  EXPECT_FALSE(idle.leader);
  EXPECT_EQ(idle.looked_at, 0);
  ASSERT_TRUE(other.Release(*connection_).ok());
  EXPECT_EQ(Round(reconciler).requeued, 1);
}

TEST_F(ReconcilerTest, TheThreadHealsByItselfAndSurvivesRedis) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  reconciler.Start();
  redis_->Kill();
  const v1::Envelope envelope = MakeEnvelope();
  RegisterAt(envelope, "");
  ASSERT_TRUE(test::Eventually([&] { return Metric("postern_reconciler_failures_total") > 0; }));
  ASSERT_TRUE(redis_->StartAgain().ok());
  EXPECT_TRUE(
      test::Eventually([&] { return Metric("postern_reconciler_requeued_total") == 1; }, 20s));
  reconciler.Stop();
  EXPECT_EQ(Number("SELECT COUNT(*) FROM leases WHERE expires_at_us = 0"), 1);
}

// Two servers heal the same flushed queue at once, each sure to be alone: the lease changes hands
// all the time. Every message is there once.
TEST_F(ReconcilerTest, TwoServersPutEachMessageBackOnce) {
  constexpr int kMessages = 1200;
  v1::RegisterMessagesRequest request;
  std::vector<RegistrationItem> items;
  for (int i = 0; i < kMessages; ++i) {
    v1::Registration& registration = *request.add_registrations();
    *registration.mutable_envelope() = MakeEnvelope(StrCat("client-", i % 16));
    registration.mutable_position()->set_shard(redis::ShardOf(registration.envelope().client_id()));
    registration.mutable_position()->set_entry_id("1-1");
    items.push_back({IdOf(registration.envelope()), &registration, NowMicros()});
  }
  std::promise<absl::Status> done;
  ASSERT_TRUE(writer_->TryRegister(
      std::move(items), Deadline::After(20s),
      [&done](absl::Status status, std::vector<Outcome>) { done.set_value(std::move(status)); }));
  ASSERT_TRUE(done.get_future().get().ok());
  const auto heal = [this](const std::string& holder) {
    const db::DriverThread driver;
    auto connection = db::Connection::Open(Server().SettingsFor("postern_server", schema_));
    ASSERT_TRUE(connection.ok());
    QueueClient queue(SettingsOfQueue());
    Reconciler reconciler(ReconcilerSettings(holder), queue, metrics_);
    for (int round = 0; round < 4; ++round) {
      Uuid after;
      for (bool end = false; !end;) {
        // Takes the lease away from the other one.
        const auto part = reconciler.RunPart(**connection, Reconciler::Mode::kHeal, after);
        if (absl::IsAborted(part.status())) continue;
        ASSERT_TRUE(part.ok()) << part.status();
        after = part->last;
        end = part->end;
      }
    }
  };
  std::thread one(heal, "server-a");
  std::thread two(heal, "server-b");
  one.join();
  two.join();
  std::int64_t entries = 0;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    entries += std::stoll(Command({"XLEN", redis::StreamKey(shard)}));
  }
  EXPECT_EQ(entries, kMessages);
  EXPECT_EQ(Metric("postern_reconciler_requeued_total"), kMessages);
}

// The server stood still between its look at the queue and its write, and another took over.
TEST_F(ReconcilerTest, WhoLostTheLeaseLeavesNothingBehind) {
  const v1::Envelope envelope = MakeEnvelope();
  RegisterAt(envelope, "");
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  redis_->Pause();
  std::thread late([&] {
    const db::DriverThread driver;
    auto connection = db::Connection::Open(Server().SettingsFor("postern_server", schema_));
    ASSERT_TRUE(connection.ok());
    EXPECT_TRUE(reconciler.RunOnce(**connection).ok());
  });
  ASSERT_TRUE(test::Eventually(
      [&] { return Number("SELECT COUNT(*) FROM leases WHERE holder = 'server-a'") == 1; }));
  const RowLease other("reconciler", "server-b", 1h);
  ASSERT_TRUE(other.Seize(*connection_).ok());
  redis_->Continue();
  late.join();
  EXPECT_EQ(Entries(envelope), 0);
  EXPECT_EQ(EntryIdInRow(envelope), "");
  EXPECT_EQ(Metric("postern_reconciler_requeued_total"), 0);
}

// An id that Redis gave twice: its data were lost, and its clock stepped back.
TEST_F(ReconcilerTest, AnotherMessageAtTheRowsPlaceIsNotThisOne) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  const v1::Envelope lost = MakeEnvelope();
  const v1::Envelope there = MakeEnvelope();
  RegisterAt(lost, Add(there));
  EXPECT_EQ(Round(reconciler).requeued, 1);
  EXPECT_EQ(Entries(there), 2);
  EXPECT_EQ(Round(reconciler).requeued, 0);
}

// Else the worker would report another dead letter for each time that it is put back.
TEST_F(ReconcilerTest, ARowWhoseEnvelopeWasAlteredBecomesDeadAndCounts) {
  std::map<std::string, std::int64_t> dead;
  Reconciler::Settings settings = ReconcilerSettings();
  settings.tally_sink = [&dead](db::Connection&, const Tally& tally) {
    for (const auto& [key, counts] : tally.counts()) dead[std::string(key.second)] += counts.dead;
    return absl::OkStatus();
  };
  Reconciler reconciler(settings, *queue_, metrics_);
  const v1::Envelope cut = MakeEnvelope();
  const v1::Envelope swapped = MakeEnvelope();
  RegisterAt(cut, "");
  RegisterAt(swapped, "");
  ASSERT_TRUE(connection_
                  ->Execute("UPDATE pending SET envelope = LEFT(envelope, 40) WHERE id = ?",
                            {std::string_view(cut.id())})
                  .ok());
  ASSERT_TRUE(connection_
                  ->Execute("UPDATE pending SET envelope = ? WHERE id = ?",
                            {MakeEnvelope().SerializeAsString(), std::string_view(swapped.id())})
                  .ok());
  const Reconciler::Result result = Round(reconciler);
  EXPECT_EQ(result.quarantined, 2);
  EXPECT_EQ(result.requeued, 0);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM pending WHERE state = 4 AND reason = "
                   "'MALFORMED_ENVELOPE'"),
            2);
  EXPECT_THAT(dead, ElementsAre(Pair("acme", 2)));
  EXPECT_EQ(Round(reconciler).looked_at, 0);
  EXPECT_THAT(dead, ElementsAre(Pair("acme", 2)));
}

// What is dead and what is counted are one transaction.
TEST_F(ReconcilerTest, WithoutItsCountNoRowBecomesDead) {
  Reconciler::Settings settings = ReconcilerSettings();
  settings.tally_sink = [](db::Connection&, const Tally&) {
    return absl::UnavailableError("no journal");
  };
  Reconciler reconciler(settings, *queue_, metrics_);
  const v1::Envelope cut = MakeEnvelope();
  RegisterAt(cut, "");
  ASSERT_TRUE(connection_
                  ->Execute("UPDATE pending SET envelope = LEFT(envelope, 40) WHERE id = ?",
                            {std::string_view(cut.id())})
                  .ok());
  EXPECT_TRUE(absl::IsUnavailable(reconciler.RunOnce(*connection_).status()));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM pending WHERE state = 4"), 0);
}

TEST_F(ReconcilerTest, LookingChangesNothing) {
  Reconciler reconciler(ReconcilerSettings(), *queue_, metrics_);
  const v1::Envelope lost = MakeEnvelope();
  RegisterAt(lost, "");
  const auto part = reconciler.RunPart(*connection_, Reconciler::Mode::kLook, Uuid());
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_TRUE(part->end);
  EXPECT_EQ(part->result.requeued, 1);
  EXPECT_EQ(Entries(lost), 0);
  EXPECT_EQ(EntryIdInRow(lost), "");
  EXPECT_EQ(Number("SELECT COUNT(*) FROM leases"), 0);
}

class UnheldSweepTest : public QueueTest {
 protected:
  std::string key_ = redis::StreamKey(redis::ShardOf("acme"));
  std::int64_t Held() {
    std::string wire;
    redis::AppendCommand(wire, "XPENDING", key_, "workers");
    return admin_->Exchange(std::move(wire), 1)->front().raw().element[0]->integer;
  }
  std::int64_t Run(UnheldSweep::Mode mode = UnheldSweep::Mode::kGiveBack) {
    UnheldSweep sweep(*queue_);
    const absl::StatusOr<std::int64_t> unheld = sweep.Run(mode);
    EXPECT_TRUE(unheld.ok()) << unheld.status();
    EXPECT_TRUE(sweep.ended());
    return unheld.value_or(-1);
  }
};

TEST_F(UnheldSweepTest, GivesBackWhatWasReadAndIsHeldByNobody) {
  // More than one page.
  for (int i = 0; i < 450; ++i) Add(MakeEnvelope());
  EXPECT_EQ(Run(), 0) << "without a group nothing was read";
  Command({"XGROUP", "CREATE", key_, "workers", "0"});
  EXPECT_EQ(Run(), 0);
  Command({"XREADGROUP", "GROUP", "workers", "gone", "COUNT", "300", "STREAMS", key_, ">"});
  Command({"XREADGROUP", "GROUP", "workers", "here", "COUNT", "100", "STREAMS", key_, ">"});
  EXPECT_EQ(Run(), 0) << "all that was read is held";
  // Takes what it held along.
  Command({"XGROUP", "DELCONSUMER", key_, "workers", "gone"});
  ASSERT_EQ(Held(), 100);
  EXPECT_EQ(Run(UnheldSweep::Mode::kLook), 300);
  ASSERT_EQ(Held(), 100);
  EXPECT_EQ(Run(), 300);
  EXPECT_EQ(Held(), 400);
  EXPECT_EQ(Run(), 0);
  // However long a worker's retry interval is, its next claim takes them.
  std::string wire;
  redis::AppendCommand(wire, "XAUTOCLAIM", key_, "workers", "worker-1", "86400000", "0", "COUNT",
                       "1000", "JUSTID");
  const auto claimed = admin_->Exchange(std::move(wire), 1);
  EXPECT_EQ(claimed->front().raw().element[1]->elements, 300U);
}

class RowLeaseTest : public RegisterTest {};

TEST_F(RowLeaseTest, ChangesHandsOnlyWhenItEndsAndTheTokenGrows) {
  const RowLease one("work", "one", 1h);
  const RowLease two("work", "two", 1h);
  const std::optional<std::int64_t> first = *one.Acquire(*connection_);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*one.Acquire(*connection_), first);
  EXPECT_EQ(*two.Acquire(*connection_), std::nullopt);
  ASSERT_TRUE(connection_->Execute("UPDATE leases SET expires_at_us = 1").ok());
  const std::optional<std::int64_t> second = *two.Acquire(*connection_);
  ASSERT_TRUE(second.has_value());
  EXPECT_GT(*second, *first);
  EXPECT_EQ(*one.Acquire(*connection_), std::nullopt);
  EXPECT_EQ(*two.Acquire(*connection_), second);
}

}  // namespace
}  // namespace postern::messages
