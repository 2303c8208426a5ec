#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "services/common/redis/reply.h"
#include "worker/ack_buffer.h"
#include "worker/delivery_batch.h"
#include "worker/in_flight.h"
#include "worker/limits.h"
#include "worker/queue_entry.h"

namespace postern::worker {
namespace {

using namespace std::string_literals;

redis::Reply Parse(const std::string& wire) {
  redisReader* reader = redisReaderCreate();
  void* raw = nullptr;
  redisReaderFeed(reader, wire.data(), wire.size());
  redisReaderGetReply(reader, &raw);
  redisReaderFree(reader);
  return redis::Reply(static_cast<redisReply*>(raw));
}

std::string Bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

std::string Item(const std::string& id, const std::vector<std::string>& fields) {
  std::string wire = "*2\r\n" + Bulk(id) + "*" + std::to_string(fields.size()) + "\r\n";
  for (const std::string& field : fields) wire += Bulk(field);
  return wire;
}

EntryKey Key(std::uint32_t shard, std::uint64_t milliseconds, std::uint64_t sequence = 0) {
  return EntryKey{shard, EntryId{milliseconds, sequence}};
}

std::string SerializedEnvelope(const std::string& id) {
  v1::Envelope envelope;
  envelope.set_id(id);
  envelope.set_client_id("client");
  return envelope.SerializeAsString();
}

const std::string kMessageId(16, 'i');

TEST(EntryId, ReadsAndWrites) {
  const auto id = EntryId::Parse("1732263898123-18446744073709551615");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->milliseconds, 1732263898123U);
  EXPECT_EQ(id->sequence, 18446744073709551615U);
  std::string text = "x";
  id->AppendTo(text);
  EXPECT_EQ(text, "x1732263898123-18446744073709551615");
  for (const char* wrong : {"", "1", "1-", "-1", "a-1", "1-1x", "1--1", "18446744073709551616-0"}) {
    EXPECT_FALSE(EntryId::Parse(wrong).has_value()) << wrong;
  }
}

TEST(AppendStreams, WalksAllShards) {
  const redis::Reply reply =
      Parse("*2\r\n*2\r\n" + Bulk("postern:{3}:messages") + "*2\r\n" + Item("1-0", {"e", "a\0b"s}) +
            Item("2-0", {"x", "y", "e", "z"}) + "*2\r\n" + Bulk("postern:{15}:messages") +
            "*1\r\n" + Item("9-7", {"e", ""}));
  std::vector<QueueEntry> entries;
  ASSERT_TRUE(AppendStreams(reply.raw(), entries));
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].key, Key(3, 1));
  EXPECT_EQ(entries[0].envelope, "a\0b"s);
  EXPECT_EQ(entries[0].id_text, "1-0");
  EXPECT_FALSE(entries[1].envelope.has_value());
  EXPECT_EQ(entries[1].RawContent(), "x\0y\0e\0z\0"s);
  EXPECT_EQ(entries[2].key, Key(15, 9, 7));
  EXPECT_EQ(entries[2].envelope, "");
}

TEST(AppendStreams, NothingIsNoFault) {
  std::vector<QueueEntry> entries;
  EXPECT_TRUE(AppendStreams(Parse("*-1\r\n").raw(), entries));
  EXPECT_TRUE(entries.empty());
}

TEST(AppendStreams, RefusesOtherForms) {
  std::vector<QueueEntry> entries;
  EXPECT_FALSE(AppendStreams(Parse(":1\r\n").raw(), entries));
  EXPECT_FALSE(AppendStreams(Parse("*1\r\n:1\r\n").raw(), entries));
  EXPECT_FALSE(AppendStreams(Parse("*1\r\n*2\r\n" + Bulk("postern:{16}:messages") + "*0\r\n").raw(),
                             entries));
  EXPECT_FALSE(AppendStreams(
      Parse("*1\r\n*2\r\n" + Bulk("postern:{1}:messages") + "*1\r\n" + Item("1", {})).raw(),
      entries));
}

TEST(AppendEntries, LeavesDeletedOut) {
  const redis::Reply reply =
      Parse("*3\r\n*-1\r\n*2\r\n" + Bulk("1-0") + "*-1\r\n" + Item("2-0", {"e", "x"}));
  std::vector<QueueEntry> entries;
  ASSERT_TRUE(AppendEntries(reply.raw(), 0, entries));
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].key, Key(0, 2));
}

TEST(InFlight, TakesEachEntryOnce) {
  InFlight in_flight(64);
  EXPECT_TRUE(in_flight.Take(Key(1, 5), Origin::kNew));
  EXPECT_FALSE(in_flight.Take(Key(1, 5), Origin::kClaimed));
  EXPECT_TRUE(in_flight.Take(Key(2, 5), Origin::kNew));
  in_flight.Release(Key(1, 5));
  EXPECT_TRUE(in_flight.Take(Key(1, 5), Origin::kClaimed));
  EXPECT_EQ(in_flight.size(), 2U);
}

TEST(InFlight, KeepsRoomForClaimedEntries) {
  InFlight in_flight(64);
  EXPECT_EQ(in_flight.Room(Origin::kNew), 48U);
  EXPECT_EQ(in_flight.Room(Origin::kClaimed), 16U);
  for (std::uint64_t i = 0; i < 48; ++i) in_flight.Take(Key(0, i), Origin::kNew);
  EXPECT_EQ(in_flight.Room(Origin::kNew), 0U);
  EXPECT_EQ(in_flight.Room(Origin::kClaimed), 16U);
  for (std::uint64_t i = 0; i < 16; ++i) in_flight.Take(Key(1, i), Origin::kClaimed);
  EXPECT_EQ(in_flight.Room(Origin::kClaimed), 0U);
  EXPECT_EQ(in_flight.size(), in_flight.max());
  in_flight.Release(Key(1, 3));
  EXPECT_EQ(in_flight.Room(Origin::kNew), 0U);
  EXPECT_EQ(in_flight.Room(Origin::kClaimed), 1U);
  in_flight.Release(Key(1, 3));
  EXPECT_EQ(in_flight.Room(Origin::kClaimed), 1U);
}

TEST(AckBuffer, DeletesBeforeItAcknowledges) {
  AckBuffer buffer;
  std::string wire;
  EXPECT_EQ(buffer.AppendCommands(wire), 0U);
  buffer.Add(Key(2, 10, 1));
  buffer.Add(Key(0, 7));
  buffer.Add(Key(2, 11));
  EXPECT_EQ(buffer.AppendCommands(wire), 4U);
  const std::string zero = Bulk("postern:{0}:messages");
  const std::string two = Bulk("postern:{2}:messages");
  EXPECT_EQ(wire, "*3\r\n" + Bulk("XDEL") + zero + Bulk("7-0") +                        //
                      "*4\r\n" + Bulk("XACK") + zero + Bulk("workers") + Bulk("7-0") +  //
                      "*4\r\n" + Bulk("XDEL") + two + Bulk("10-1") + Bulk("11-0") +     //
                      "*5\r\n" + Bulk("XACK") + two + Bulk("workers") + Bulk("10-1") +
                      Bulk("11-0"));
}

TEST(AckBuffer, MergesAndEmptiesTheOther) {
  AckBuffer one;
  AckBuffer two;
  one.Add(Key(0, 1));
  two.Add(Key(0, 2));
  two.Add(Key(5, 3));
  one.Merge(std::move(two));
  EXPECT_EQ(one.size(), 3U);
  EXPECT_TRUE(two.empty());  // NOLINT(bugprone-use-after-move): promised.
  std::vector<EntryKey> keys;
  one.ForEach([&](const EntryKey& key) { keys.push_back(key); });
  EXPECT_EQ(keys, (std::vector<EntryKey>{Key(0, 1), Key(0, 2), Key(5, 3)}));
}

class DeliveryBatchTest : public ::testing::Test {
 protected:
  bool Add(const std::string& id, const std::vector<std::string>& fields) {
    const redis::Reply reply = Parse("*1\r\n" + Item(id, fields));
    std::vector<QueueEntry> entries;
    EXPECT_TRUE(AppendEntries(reply.raw(), 4, entries));
    return batch_.Add(entries.at(0), std::chrono::steady_clock::now());
  }
  const v1::Delivery& Last() {
    return batch_.request().deliveries(batch_.request().deliveries_size() - 1);
  }
  DeliveryBatch batch_;
};

TEST_F(DeliveryBatchTest, CarriesEnvelopeAndPosition) {
  EXPECT_TRUE(Add("8-1", {"e", SerializedEnvelope(kMessageId)}));
  EXPECT_EQ(Last().envelope().id(), kMessageId);
  EXPECT_EQ(Last().position().shard(), 4U);
  EXPECT_EQ(Last().position().entry_id(), "8-1");
  EXPECT_EQ(Last().unreadable_entry(), "");
  EXPECT_EQ(batch_.entries().at(0).key, Key(4, 8, 1));
}

TEST_F(DeliveryBatchTest, HandsUnreadableEntriesOverAsTheyAre) {
  const std::string envelope = SerializedEnvelope(kMessageId);
  const std::vector<std::pair<std::vector<std::string>, std::string>> rows{
      {{"e", "\xff\xff"}, "\xff\xff"},
      {{"e", SerializedEnvelope("short")}, SerializedEnvelope("short")},
      {{"e", ""}, ""},
      {{"f", envelope}, "f\0"s + envelope + "\0"s},
      {{"e", envelope, "e", envelope}, "e\0"s + envelope + "\0e\0"s + envelope + "\0"s},
  };
  for (const auto& [fields, content] : rows) {
    EXPECT_FALSE(Add("1-0", fields));
    EXPECT_EQ(Last().unreadable_entry(), content);
    EXPECT_EQ(Last().envelope().ByteSizeLong(), 0U);
  }
}

TEST_F(DeliveryBatchTest, CutsHugeEntries) {
  EXPECT_FALSE(Add("1-0", {"e", std::string(kMaxEnvelopeBytes + 1, 'x')}));
  EXPECT_EQ(Last().unreadable_entry().size(), kMaxEnvelopeBytes);
  EXPECT_EQ(batch_.bytes(), kMaxEnvelopeBytes);
}

TEST_F(DeliveryBatchTest, IsTakenInParts) {
  const std::string envelope = SerializedEnvelope(kMessageId);
  for (int i = 1; i <= 5; ++i) Add(std::to_string(i) + "-0", {"e", envelope});
  DeliveryBatch part;
  part.TakeFrom(batch_, 2);
  EXPECT_EQ(part.size(), 2U);
  EXPECT_EQ(part.entries().at(1).key, Key(4, 2));
  EXPECT_EQ(part.request().deliveries(1).position().entry_id(), "2-0");
  EXPECT_EQ(part.bytes(), 2 * envelope.size());
  EXPECT_EQ(batch_.size(), 3U);
  EXPECT_EQ(batch_.entries().at(0).key, Key(4, 3));
  EXPECT_EQ(batch_.request().deliveries(0).position().entry_id(), "3-0");
  EXPECT_EQ(batch_.bytes(), 3 * envelope.size());
  part.TakeFrom(batch_, 9);
  EXPECT_EQ(part.size(), 5U);
  EXPECT_EQ(part.request().deliveries(4).position().entry_id(), "5-0");
  EXPECT_TRUE(batch_.empty());
  EXPECT_EQ(batch_.request().deliveries_size(), 0);
}

TEST_F(DeliveryBatchTest, PartsKeepToTheirBytes) {
  const std::string big(kMaxEnvelopeBytes, 'x');
  for (int i = 1; i <= 3; ++i) Add(std::to_string(i) + "-0", {"f", big});
  DeliveryBatch part;
  part.TakeFrom(batch_, 9);
  EXPECT_EQ(part.size(), 2U);
  EXPECT_EQ(batch_.size(), 1U);
}

TEST_F(DeliveryBatchTest, KeepsNothingOfItsLastUse) {
  Add("1-0", {"e", "\xff"});
  batch_.Clear();
  EXPECT_TRUE(batch_.empty());
  EXPECT_EQ(batch_.bytes(), 0U);
  EXPECT_TRUE(Add("2-0", {"e", SerializedEnvelope(kMessageId)}));
  EXPECT_EQ(batch_.request().deliveries_size(), 1);
  EXPECT_EQ(Last().unreadable_entry(), "");
}

}  // namespace
}  // namespace postern::worker
