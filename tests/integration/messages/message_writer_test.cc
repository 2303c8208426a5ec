#include "services/messages/message_writer.h"

#include <map>
#include <mutex>

#include "services/messages/envelope_check.h"
#include "tests/integration/messages/register_fixture.h"
#include "tests/support/eventually.h"

namespace postern::messages {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::SizeIs;
using namespace std::chrono_literals;

MATCHER_P(IsOutcome, kind, "") { return arg.kind == kind; }
const auto kStored = IsOutcome(Outcome::Kind::kStored);
const auto kDead = IsOutcome(Outcome::Kind::kDead);

class MessageWriterTest : public RegisterTest {};

TEST_F(MessageWriterTest, RegistrationThenDeliveryMovesTheRow) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 0ms;
  auto writer = MakeWriter(settings);
  const v1::Envelope envelope = MakeEnvelope();
  const Answer registered = Register(*writer, {envelope}).get();
  ASSERT_TRUE(registered.status.ok()) << registered.status;
  EXPECT_THAT(registered.outcomes, ElementsAre(kStored));
  EXPECT_EQ(Number("SELECT COUNT(*) FROM pending WHERE state = 1 AND number_hash IS NOT NULL AND"
                   " envelope <> '' AND entry_id LIKE '%-0'"),
            1);
  const Answer delivered = Deliver(*writer, {envelope}).get();
  ASSERT_TRUE(delivered.status.ok()) << delivered.status;
  EXPECT_THAT(delivered.outcomes, ElementsAre(kStored));
  EXPECT_EQ(PendingRows(), 0);
  EXPECT_EQ(DeliveredRows(), 1);
  EXPECT_EQ(CountedDelivered(), 1);
  EXPECT_EQ(Number("SELECT registered_at_us - accepted_at_us FROM messages"), 2000);
  EXPECT_EQ(Number("SELECT durable_at_us - accepted_at_us FROM messages"), 1000);
  EXPECT_EQ(Number("SELECT attempts FROM messages"), 1);
}

// What the statistics count: each thing that happens to a message once, however often it is told.
TEST_F(MessageWriterTest, TheTallyCountsEachMessageOnce) {
  std::mutex mutex;
  std::map<std::string, Tally::Counts> seen;
  std::int64_t latencies = 0;
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 0ms;
  settings.attempts_max = 2;
  settings.tally_sink = [&](db::Connection&, const Tally& tally) {
    const std::lock_guard lock(mutex);
    for (const auto& [key, counts] : tally.counts()) {
      Tally::Counts& sum = seen[std::string(key.second)];
      sum.accepted += counts.accepted;
      sum.delivered += counts.delivered;
      sum.dead += counts.dead;
      sum.failed_attempts += counts.failed_attempts;
    }
    for (const auto& [key, count] : tally.latencies()) latencies += count;
    return absl::OkStatus();
  };
  const v1::Envelope registered = MakeEnvelope("registered");
  const v1::Envelope direct = MakeEnvelope("direct");
  const v1::Envelope failing = MakeEnvelope("failing");
  const v1::Envelope damaged = MakeEnvelope("damaged");
  // A second writer knows nothing of what the first remembers.
  for (int server = 0; server < 2; ++server) {
    auto writer = MakeWriter(settings);
    ASSERT_TRUE(Register(*writer, {registered}).get().status.ok());
    ASSERT_TRUE(Register(*writer, {registered}).get().status.ok());
    ASSERT_TRUE(Deliver(*writer, {registered, direct, direct}).get().status.ok());
    ASSERT_TRUE(Register(*writer, {direct}).get().status.ok());
    ASSERT_TRUE(Deliver(*writer, {damaged}, kAuthenticationFailed).get().status.ok());
    ASSERT_TRUE(Fail(*writer, failing, 1000).get().status.ok());
    ASSERT_TRUE(Fail(*writer, failing, 1000).get().status.ok());
    ASSERT_TRUE(Fail(*writer, failing, 2000).get().status.ok());
    writer->Stop();
  }
  const std::lock_guard lock(mutex);
  const auto is = [&](const char* client, std::int64_t accepted, std::int64_t delivered,
                      std::int64_t dead, std::int64_t failed_attempts) {
    const Tally::Counts& counts = seen[client];
    EXPECT_EQ(counts.accepted, accepted) << client;
    EXPECT_EQ(counts.delivered, delivered) << client;
    EXPECT_EQ(counts.dead, dead) << client;
    EXPECT_EQ(counts.failed_attempts, failed_attempts) << client;
  };
  is("registered", 1, 1, 0, 0);
  is("direct", 1, 1, 0, 0);
  is("damaged", 1, 0, 1, 0);
  is("failing", 1, 0, 1, 2);
  EXPECT_EQ(latencies, 2);
}

TEST_F(MessageWriterTest, BothWithinTheHoldBecomeOneInsert) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 1h;
  auto writer = MakeWriter(settings);
  const std::vector<v1::Envelope> envelopes{MakeEnvelope(), MakeEnvelope()};
  Answers registered = Register(*writer, envelopes);
  const Answer delivered = Deliver(*writer, envelopes).get();
  ASSERT_TRUE(delivered.status.ok()) << delivered.status;
  EXPECT_THAT(delivered.outcomes, ElementsAre(kStored, kStored));
  ASSERT_EQ(registered.wait_for(10s), std::future_status::ready);
  EXPECT_THAT(registered.get().outcomes, ElementsAre(kStored, kStored));
  EXPECT_EQ(DeliveredRows(), 2);
  EXPECT_EQ(PendingRows(), 0);
  EXPECT_EQ(Number("SELECT MIN(registered_at_us - accepted_at_us) FROM messages"), 2000);
  EXPECT_EQ(Metric("postern_registrations_total{result=\"merged\"}"), 2);
  EXPECT_EQ(Metric("postern_registrations_total{result=\"written\"}"), 0);
}

TEST_F(MessageWriterTest, ARegistrationAfterItsDeliveryWritesNothing) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 1h;
  auto writer = MakeWriter(settings);
  const v1::Envelope envelope = MakeEnvelope();
  ASSERT_TRUE(Deliver(*writer, {envelope}).get().status.ok());
  Answers registered = Register(*writer, {envelope});
  ASSERT_EQ(registered.wait_for(10s), std::future_status::ready);
  EXPECT_THAT(registered.get().outcomes, ElementsAre(kStored));
  EXPECT_EQ(PendingRows(), 0);
  EXPECT_EQ(Number("SELECT registered_at_us = delivered_at_us FROM messages"), 1);
}

TEST_F(MessageWriterTest, ARegistrationThatAnotherServerDeliveredWritesNothing) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 0ms;
  auto one = MakeWriter(settings);
  settings.server_name = "server-b";
  auto other = MakeWriter(settings);
  const v1::Envelope envelope = MakeEnvelope();
  ASSERT_TRUE(Deliver(*one, {envelope}).get().status.ok());
  EXPECT_THAT(Register(*other, {envelope}).get().outcomes, ElementsAre(kStored));
  EXPECT_EQ(PendingRows(), 0);
}

TEST_F(MessageWriterTest, RepeatedDeliveriesAreOneMessage) {
  auto one = MakeWriter();
  MessageWriter::Settings settings = WriterSettings();
  settings.server_name = "server-b";
  auto other = MakeWriter(settings);
  const v1::Envelope envelope = MakeEnvelope();
  EXPECT_THAT(Deliver(*one, {envelope, envelope}).get().outcomes, ElementsAre(kStored, kStored));
  EXPECT_THAT(Deliver(*one, {envelope}).get().outcomes, ElementsAre(kStored));
  EXPECT_THAT(Deliver(*other, {envelope}).get().outcomes, ElementsAre(kStored));
  EXPECT_EQ(DeliveredRows(), 1);
  EXPECT_EQ(CountedDelivered(), 1);
}

TEST_F(MessageWriterTest, TheMessageIsStoredAsItCame) {
  auto writer = MakeWriter();
  v1::Envelope envelope = MakeEnvelope();
  envelope.set_encrypted_body(FakeReader::Seal(std::string("\0\xff\x80'\"\\", 6)));
  ASSERT_TRUE(Deliver(*writer, {envelope}).get().status.ok());
  int rows = 0;
  const absl::Status status = connection_->Query(
      "SELECT id, encrypted_body, metadata_json, client_ref, number_masked, number_hash FROM"
      " messages",
      {}, [&](const db::Row& row) {
        ++rows;
        EXPECT_EQ(row.String(0), envelope.id());
        EXPECT_EQ(row.String(1), envelope.encrypted_body());
        EXPECT_EQ(row.String(2), envelope.metadata_json());
        EXPECT_EQ(row.String(3), "order-1");
        EXPECT_EQ(row.String(4), "+1415*****23");
        EXPECT_EQ(row.String(5), FakeReader().ReadNumber(envelope)->hash);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(rows, 1);
}

TEST_F(MessageWriterTest, AnyNumberOfMessagesFits) {
  auto writer = MakeWriter();
  for (const std::size_t count : {1U, 3U, 8U, 9U, 257U, 1000U}) {
    std::vector<v1::Envelope> envelopes;
    for (std::size_t i = 0; i < count; ++i) envelopes.push_back(MakeEnvelope());
    const std::int64_t before = DeliveredRows();
    const Answer answer = Deliver(*writer, envelopes).get();
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_THAT(answer.outcomes, AllOf(SizeIs(count), Each(kStored)));
    EXPECT_EQ(DeliveredRows() - before, static_cast<std::int64_t>(count));
  }
  EXPECT_EQ(CountedDelivered(), DeliveredRows());
}

TEST_F(MessageWriterTest, OneRowThatDoesNotFitIsDeadAndTheOthersAreStored) {
  auto writer = MakeWriter();
  std::vector<v1::Envelope> envelopes;
  for (int i = 0; i < 20; ++i) envelopes.push_back(MakeEnvelope());
  envelopes[13].set_client_ref("ümlaut");
  const Answer answer = Deliver(*writer, envelopes).get();
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  for (std::size_t i = 0; i < envelopes.size(); ++i) {
    EXPECT_EQ(answer.outcomes[i].kind, i == 13 ? Outcome::Kind::kDead : Outcome::Kind::kStored);
  }
  EXPECT_EQ(answer.outcomes[13].reason, kNotStorable);
  EXPECT_EQ(DeliveredRows(), 19);
  EXPECT_EQ(CountedDelivered(), 19);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM pending WHERE state = 4 AND reason = 'NOT_STORABLE'"), 1);
  EXPECT_THAT(Deliver(*writer, {envelopes[13]}).get().outcomes, ElementsAre(kDead));
  EXPECT_EQ(PendingRows(), 1);
}

TEST_F(MessageWriterTest, ARegistrationThatDoesNotFitIsRejectedAndTheOthersAreStored) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 0ms;
  auto writer = MakeWriter(settings);
  std::vector<v1::Envelope> envelopes;
  for (int i = 0; i < 5; ++i) envelopes.push_back(MakeEnvelope());
  envelopes[2].set_client_id(std::string(65, 'c'));
  const Answer answer = Register(*writer, envelopes).get();
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.outcomes[2].kind, Outcome::Kind::kRejected);
  EXPECT_EQ(PendingRows(), 4);
}

TEST_F(MessageWriterTest, FailedAttemptsCountOnceAndStayWithTheMessage) {
  auto writer = MakeWriter();
  const v1::Envelope envelope = MakeEnvelope();
  const std::int64_t at = NowMicros();
  ASSERT_TRUE(Fail(*writer, envelope, at).get().status.ok());
  ASSERT_TRUE(Fail(*writer, envelope, at).get().status.ok());
  ASSERT_TRUE(Fail(*writer, envelope, at - 5).get().status.ok());
  EXPECT_EQ(Number("SELECT attempts FROM pending WHERE state = 2"), 1);
  ASSERT_TRUE(Fail(*writer, envelope, at + 5, "DATA_KEY_UNKNOWN").get().status.ok());
  EXPECT_EQ(Number("SELECT attempts FROM pending WHERE reason = 'DATA_KEY_UNKNOWN'"), 2);
  EXPECT_EQ(Number("SELECT next_attempt_at_us FROM pending"), at + 5 + 30'000'000);
  ASSERT_TRUE(Deliver(*writer, {envelope}).get().status.ok());
  EXPECT_EQ(Number("SELECT attempts FROM messages WHERE reason = 'DATA_KEY_UNKNOWN'"), 3);
  EXPECT_EQ(PendingRows(), 0);
  // A stale report does not bring the row back.
  ASSERT_TRUE(Fail(*writer, envelope, at + 10).get().status.ok());
  EXPECT_EQ(PendingRows(), 0);
}

TEST_F(MessageWriterTest, ADeadMessageStaysDead) {
  auto writer = MakeWriter();
  const v1::Envelope envelope = MakeEnvelope();
  const Answer dead = Deliver(*writer, {envelope}, kAuthenticationFailed).get();
  EXPECT_THAT(dead.outcomes, ElementsAre(kDead));
  EXPECT_EQ(dead.outcomes[0].reason, kAuthenticationFailed);
  const Answer again = Deliver(*writer, {envelope}).get();
  EXPECT_THAT(again.outcomes, ElementsAre(kDead));
  EXPECT_EQ(again.outcomes[0].reason, kAuthenticationFailed);
  ASSERT_TRUE(Fail(*writer, envelope, NowMicros() + 1'000'000).get().status.ok());
  EXPECT_EQ(Number("SELECT COUNT(*) FROM pending WHERE state = 4 AND attempts = 1 AND"
                   " reason = 'AUTHENTICATION_FAILED'"),
            1);
  EXPECT_EQ(DeliveredRows(), 0);
  EXPECT_EQ(CountedDelivered(), 0);
}

TEST_F(MessageWriterTest, AnAlteredCopyOfADeliveredMessageChangesNothing) {
  auto one = MakeWriter();
  MessageWriter::Settings settings = WriterSettings();
  settings.server_name = "server-b";
  auto other = MakeWriter(settings);
  const v1::Envelope envelope = MakeEnvelope();
  ASSERT_TRUE(Deliver(*one, {envelope}).get().status.ok());
  EXPECT_THAT(Deliver(*other, {envelope}, kAuthenticationFailed).get().outcomes,
              ElementsAre(kStored));
  EXPECT_EQ(PendingRows(), 0);
}

TEST_F(MessageWriterTest, TakesNoMoreThanItsLimit) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 1h;
  settings.messages_max = 3;
  auto writer = MakeWriter(settings);
  Answers held = Register(*writer, {MakeEnvelope(), MakeEnvelope()});
  v1::Registration registration;
  EXPECT_FALSE(writer->TryRegister({{Uuid(), &registration, 0}, {Uuid(), &registration, 0}},
                                   Deadline::After(1s),
                                   [](absl::Status, std::vector<Outcome>) { FAIL(); }));
  // Stopping writes what is held.
  writer->Stop();
  EXPECT_TRUE(held.get().status.ok());
  EXPECT_EQ(PendingRows(), 2);
  EXPECT_FALSE(writer->TryRegister({{Uuid(), &registration, 0}}, Deadline::After(1s),
                                   [](absl::Status, std::vector<Outcome>) { FAIL(); }));
}

TEST_F(MessageWriterTest, AKilledConnectionHealsByItself) {
  auto writer = MakeWriter();
  ASSERT_TRUE(Deliver(*writer, {MakeEnvelope()}).get().status.ok());
  const std::int64_t id =
      Number(StrCat("SELECT id FROM information_schema.processlist WHERE db = '", schema_,
                    "' AND id <> CONNECTION_ID()"));
  ASSERT_TRUE(connection_->ExecuteScriptStatement(StrCat("KILL ", id)).ok());
  const v1::Envelope envelope = MakeEnvelope();
  const Answer broken = Deliver(*writer, {envelope}).get();
  EXPECT_EQ(broken.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(broken.outcomes, SizeIs(0));
  EXPECT_TRUE(test::Eventually([&] { return Deliver(*writer, {envelope}).get().status.ok(); }));
  EXPECT_EQ(DeliveredRows(), 2);
  EXPECT_TRUE(writer->healthy());
}

TEST_F(MessageWriterTest, SaysThatTheDatabaseIsAway) {
  MessageWriter::Settings settings = WriterSettings();
  settings.database.port = 1;
  settings.registration_hold = 10ms;
  auto writer = MakeWriter(settings);
  Answers registered = Register(*writer, {MakeEnvelope()});
  EXPECT_EQ(Deliver(*writer, {MakeEnvelope()}).get().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(registered.get().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(writer->healthy());
}

TEST_F(MessageWriterTest, ALockedRowIsWaitedFor) {
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = 0ms;
  auto writer = MakeWriter(settings);
  const v1::Envelope envelope = MakeEnvelope();
  ASSERT_TRUE(Register(*writer, {envelope}).get().status.ok());
  ASSERT_TRUE(connection_->Begin().ok());
  ASSERT_TRUE(connection_->Execute("UPDATE pending SET shard = shard").ok());
  ASSERT_TRUE(connection_
                  ->Query("SELECT id FROM pending FOR UPDATE", {},
                          [](const db::Row&) { return absl::OkStatus(); })
                  .ok());
  Answers delivered = Deliver(*writer, {envelope});
  EXPECT_EQ(delivered.wait_for(200ms), std::future_status::timeout);
  ASSERT_TRUE(connection_->Commit().ok());
  EXPECT_TRUE(delivered.get().status.ok());
  EXPECT_EQ(PendingRows(), 0);
}

}  // namespace
}  // namespace postern::messages
