#include "services/messages/envelope_check.h"

#include <gtest/gtest.h>

#include <functional>

#include "services/messages/recent_ids.h"

namespace postern::messages {
namespace {

v1::Envelope GoodEnvelope() {
  v1::Envelope envelope;
  envelope.set_id(std::string(16, 'i'));
  envelope.set_client_id("acme");
  envelope.set_domain("example.org");
  envelope.set_data_key_id(std::string(16, 'k'));
  envelope.set_encrypted_body(std::string(29, 'b'));
  envelope.set_encrypted_number(std::string(40, 'n'));
  envelope.set_accepted_at_us(1);
  return envelope;
}

TEST(EnvelopeCheckTest, TakesWhatEveryFieldPromises) {
  EXPECT_TRUE(IsWellFormed(GoodEnvelope()));
  v1::Envelope full = GoodEnvelope();
  full.set_client_id(std::string(64, 'c'));
  full.set_client_ref(std::string(64, '~'));
  full.set_metadata_json(std::string(2048, ' '));
  full.set_encrypted_body(std::string(4100, 'b'));
  EXPECT_TRUE(IsWellFormed(full));
}

TEST(EnvelopeCheckTest, RefusesEachFieldThatDoesNotFit) {
  const std::vector<std::function<void(v1::Envelope&)>> faults{
      [](v1::Envelope& e) { e.set_id("short"); },
      [](v1::Envelope& e) { e.clear_client_id(); },
      [](v1::Envelope& e) { e.set_client_id(std::string(65, 'c')); },
      [](v1::Envelope& e) { e.set_client_id("a b"); },
      [](v1::Envelope& e) { e.clear_domain(); },
      [](v1::Envelope& e) { e.set_domain(std::string(254, 'd')); },
      [](v1::Envelope& e) { e.set_data_key_id("k"); },
      [](v1::Envelope& e) { e.set_encrypted_body(std::string(28, 'b')); },
      [](v1::Envelope& e) { e.set_encrypted_body(std::string(4101, 'b')); },
      [](v1::Envelope& e) { e.clear_encrypted_number(); },
      [](v1::Envelope& e) { e.set_encrypted_number(std::string(65, 'n')); },
      [](v1::Envelope& e) { e.set_client_ref("ümlaut"); },
      [](v1::Envelope& e) { e.set_client_ref(std::string(65, 'r')); },
      [](v1::Envelope& e) { e.set_metadata_json(std::string(2049, ' ')); },
      [](v1::Envelope& e) { e.set_traceparent(std::string(56, 't')); },
      [](v1::Envelope& e) { e.set_accepted_at_us(0); },
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    v1::Envelope envelope = GoodEnvelope();
    faults[i](envelope);
    EXPECT_FALSE(IsWellFormed(envelope)) << "fault " << i;
  }
}

TEST(EnvelopeCheckTest, PositionsNameAShardAndAnEntry) {
  v1::QueuePosition position;
  position.set_shard(15);
  position.set_entry_id("1700000000000-0");
  EXPECT_TRUE(IsWellFormed(position));
  position.set_shard(16);
  EXPECT_FALSE(IsWellFormed(position));
  position.set_shard(0);
  for (const char* const entry_id : {"", "1700000000000", "x-1", "17-", "17-1 ", "-1-1"}) {
    position.set_entry_id(entry_id);
    EXPECT_FALSE(IsWellFormed(position)) << entry_id;
  }
}

TEST(EnvelopeCheckTest, AnEntrysTimeComesFromItsId) {
  EXPECT_EQ(EntryTimeMicros("1700000000123-4"), 1'700'000'000'123'000);
  EXPECT_EQ(EntryTimeMicros("99999999999999999999-0"), 0);
}

TEST(EnvelopeCheckTest, AnUnreadableEntryHasOneIdOfItsTime) {
  v1::QueuePosition position;
  position.set_shard(3);
  position.set_entry_id("1700000000123-4");
  const Uuid id = IdOfUnreadable(position, "content");
  EXPECT_EQ(id, IdOfUnreadable(position, "content"));
  EXPECT_NE(id, IdOfUnreadable(position, "other"));
  EXPECT_EQ(id.TimestampMillis(), 1'700'000'000'123);
  EXPECT_EQ(id.ToString()[14], '7');
  position.set_shard(4);
  EXPECT_NE(id, IdOfUnreadable(position, "content"));
}

TEST(RecentIdsTest, ForgetsTheOlderGeneration) {
  RecentIds recent(2);
  std::vector<Uuid> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Uuid::Random());
  for (const Uuid& id : ids) recent.Add(id);
  EXPECT_FALSE(recent.Contains(ids[0]));
  EXPECT_FALSE(recent.Contains(ids[1]));
  EXPECT_TRUE(recent.Contains(ids[2]));
  EXPECT_TRUE(recent.Contains(ids[3]));
  EXPECT_TRUE(recent.Contains(ids[4]));
}

}  // namespace
}  // namespace postern::messages
