#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "services/common/crypto/hash.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"
#include "services/messages/message_repository.h"
#include "tests/integration/messages/register_fixture.h"

namespace postern::messages {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

class MessageReadsTest : public RegisterTest {
 protected:
  void SetUp() override {
    RegisterTest::SetUp();
    MessageWriter::Settings settings = WriterSettings();
    settings.registration_hold = 0ms;
    writer_ = MakeWriter(settings);
  }

  std::vector<std::string> List(const MessageQuery& query) {
    auto listed = ListMessages(*connection_, query);
    EXPECT_TRUE(listed.ok()) << listed.status();
    std::vector<std::string> ids;
    for (const StoredMessage& stored : *listed) ids.push_back(stored.message.id());
    return ids;
  }
  static std::string Text(const v1::Envelope& envelope) { return IdOf(envelope).ToString(); }
  static MessageQuery Any() {
    MessageQuery query;
    query.limit = 100;
    return query;
  }

  std::unique_ptr<MessageWriter> writer_;
};

TEST_F(MessageReadsTest, FindsAMessageWhereverItIs) {
  const v1::Envelope queued = MakeEnvelope();
  const v1::Envelope retrying = MakeEnvelope();
  const v1::Envelope delivered = MakeEnvelope();
  const v1::Envelope dead = MakeEnvelope();
  const std::int64_t at = NowMicros();
  ASSERT_TRUE(Register(*writer_, {queued, retrying}).get().status.ok());
  ASSERT_TRUE(Fail(*writer_, retrying, at).get().status.ok());
  ASSERT_TRUE(Deliver(*writer_, {delivered}).get().status.ok());
  ASSERT_TRUE(Deliver(*writer_, {dead}, kAuthenticationFailed).get().status.ok());
  const auto find = [&](const v1::Envelope& envelope, const std::string& client_id) {
    auto found = FindMessage(*connection_, IdOf(envelope), client_id);
    EXPECT_TRUE(found.ok()) << found.status();
    return *std::move(found);
  };
  EXPECT_EQ(find(queued, "")->message.state(), v1::MESSAGE_STATE_QUEUED);
  EXPECT_EQ(find(queued, "")->message.attempts(), 0U);
  EXPECT_EQ(find(queued, "")->message.durable_at_us(), queued.accepted_at_us() + 1000);
  const v1::Message retry = find(retrying, "acme")->message;
  EXPECT_EQ(retry.state(), v1::MESSAGE_STATE_RETRYING);
  EXPECT_EQ(retry.reason(), "DEADLINE_EXCEEDED");
  EXPECT_EQ(retry.next_attempt_at_us(), at + 30'000'000);
  EXPECT_EQ(retry.last_attempt_at_us(), at);
  const std::optional<StoredMessage> stored = find(delivered, "acme");
  EXPECT_EQ(stored->message.state(), v1::MESSAGE_STATE_DELIVERED);
  EXPECT_EQ(stored->message.client_ref(), "order-1");
  EXPECT_EQ(stored->message.metadata_json(), delivered.metadata_json());
  EXPECT_EQ(stored->message.sender_number(), "+1415*****23");
  EXPECT_EQ(stored->ciphertext.encrypted_body, delivered.encrypted_body());
  EXPECT_GE(stored->message.delivered_at_us(), stored->message.registered_at_us());
  EXPECT_EQ(find(dead, "")->message.state(), v1::MESSAGE_STATE_DEAD);
  EXPECT_EQ(find(dead, "")->message.reason(), kAuthenticationFailed);
  // Another client's message is not found at all.
  EXPECT_FALSE(find(delivered, "other").has_value());
  EXPECT_FALSE(find(queued, "other").has_value());
}

TEST_F(MessageReadsTest, PagesThroughBothTablesNewestFirst) {
  std::vector<v1::Envelope> all;
  for (int i = 0; i < 11; ++i) all.push_back(MakeEnvelope());
  for (std::size_t i = 0; i < all.size(); ++i) {
    // Every third one stays pending.
    ASSERT_TRUE((i % 3 == 0 ? Register(*writer_, {all[i]}) : Deliver(*writer_, {all[i]}))
                    .get()
                    .status.ok());
  }
  std::vector<std::string> expected;
  for (auto it = all.rbegin(); it != all.rend(); ++it) expected.push_back(Text(*it));
  std::vector<std::string> seen;
  MessageQuery query = Any();
  query.limit = 4;
  while (true) {
    auto page = ListMessages(*connection_, query);
    ASSERT_TRUE(page.ok()) << page.status();
    if (page->empty()) break;
    for (const StoredMessage& stored : *page) seen.push_back(stored.message.id());
    query.before = page->back().ciphertext.message_id;
  }
  EXPECT_EQ(seen, expected);
}

TEST_F(MessageReadsTest, Filters) {
  v1::Envelope first = MakeEnvelope("acme");
  v1::Envelope second = MakeEnvelope("bolt");
  v1::Envelope third = MakeEnvelope("bolt");
  third.set_client_ref("order-2");
  third.set_accepted_at_us(second.accepted_at_us() + 5'000'000);
  third.set_id(std::string(UuidV7Generator().Next(third.accepted_at_us()).bytes()));
  ASSERT_TRUE(Deliver(*writer_, {first, second}).get().status.ok());
  ASSERT_TRUE(Register(*writer_, {third}).get().status.ok());

  MessageQuery query = Any();
  query.client_id = "bolt";
  EXPECT_THAT(List(query), ElementsAre(Text(third), Text(second)));
  query.client_ref = "order-2";
  EXPECT_THAT(List(query), ElementsAre(Text(third)));
  query = Any();
  query.client_ref = "order";
  EXPECT_THAT(List(query), IsEmpty());
  query = Any();
  query.states = {v1::MESSAGE_STATE_DELIVERED};
  EXPECT_THAT(List(query), ElementsAre(Text(second), Text(first)));
  query.states = {v1::MESSAGE_STATE_QUEUED, v1::MESSAGE_STATE_DEAD};
  EXPECT_THAT(List(query), ElementsAre(Text(third)));
  query.states = {v1::MESSAGE_STATE_DEAD};
  EXPECT_THAT(List(query), IsEmpty());
  query = Any();
  query.accepted_from_us = third.accepted_at_us();
  EXPECT_THAT(List(query), ElementsAre(Text(third)));
  query = Any();
  query.accepted_until_us = third.accepted_at_us();
  EXPECT_THAT(List(query), ElementsAre(Text(second), Text(first)));
}

TEST_F(MessageReadsTest, FindsNumbersByTheirHash) {
  const v1::Envelope delivered = MakeEnvelope();
  const v1::Envelope queued = MakeEnvelope();
  ASSERT_TRUE(Deliver(*writer_, {delivered}).get().status.ok());
  ASSERT_TRUE(Register(*writer_, {queued}).get().status.ok());
  MessageQuery query = Any();
  query.number_hash = FakeReader().ReadNumber(queued)->hash;
  EXPECT_THAT(List(query), ::testing::Contains(Text(queued)));
  const bool same = query.number_hash == FakeReader().ReadNumber(delivered)->hash;
  EXPECT_THAT(List(query), SizeIs(same ? 2 : 1));
  query.number_hash = std::string(32, 'x');
  EXPECT_THAT(List(query), IsEmpty());
}

TEST_F(MessageReadsTest, ListsSeveralClientsAndNumbersAndWaysBack) {
  std::vector<v1::Envelope> all;
  for (const char* client : {"acme", "bolt", "acme", "cole", "bolt", "acme"}) {
    all.push_back(MakeEnvelope(client));
  }
  all[3].set_encrypted_number(FakeReader::Seal("+420777123456"));
  ASSERT_TRUE(Deliver(*writer_, {all[0], all[1], all[3], all[5]}).get().status.ok());
  ASSERT_TRUE(Register(*writer_, {all[2], all[4]}).get().status.ok());
  MessageQuery query = Any();
  query.clients = {"acme", "bolt"};
  EXPECT_THAT(List(query),
              ElementsAre(Text(all[5]), Text(all[4]), Text(all[2]), Text(all[1]), Text(all[0])));
  query.limit = 2;
  EXPECT_THAT(List(query), ElementsAre(Text(all[5]), Text(all[4])));
  query.after = IdOf(all[0]);
  EXPECT_THAT(List(query), ElementsAre(Text(all[2]), Text(all[1])));
  query = Any();
  query.clients = {"cole"};
  EXPECT_THAT(List(query), ElementsAre(Text(all[3])));
  query = Any();
  query.number_hash = crypto::Sha256("+420777123456");
  EXPECT_THAT(List(query), ElementsAre(Text(all[3])));
  query.clients = {"acme", "bolt"};
  EXPECT_THAT(List(query), IsEmpty());
  // A reason is what is not delivered has.
  query = Any();
  query.reason = "DEADLINE_EXCEEDED";
  ASSERT_TRUE(Fail(*writer_, all[4], NowMicros()).get().status.ok());
  EXPECT_THAT(List(query), ElementsAre(Text(all[4])));
}

// A page of many clients is looked for among the next messages of anybody first. It is the same
// page where those do not tell, since too many of others stand before.
TEST_F(MessageReadsTest, PagesOfManyClientsAreWhole) {
  std::vector<v1::Envelope> waiting;
  for (int i = 0; i < 150; ++i) {
    waiting.push_back(MakeEnvelope(i < 60 ? StrCat("client-", i % 12) : "other"));
  }
  ASSERT_TRUE(Register(*writer_, waiting).get().status.ok());
  for (std::size_t i = 0; i < 60; i += 4) {
    ASSERT_TRUE((i % 8 == 0 ? Fail(*writer_, waiting[i], NowMicros())
                            : Deliver(*writer_, {waiting[i]}, kAuthenticationFailed))
                    .get()
                    .status.ok());
  }
  std::vector<std::string> clients;
  for (int i = 0; i < 11; ++i) clients.push_back(StrCat("client-", i));
  // All of that kind, as the list without clients has them.
  const auto expected = [&](MessageQuery query) {
    const auto limit = static_cast<std::size_t>(std::exchange(query.limit, 1000));
    query.clients.clear();
    std::vector<std::string> ids;
    const auto all = ListMessages(*connection_, query);
    EXPECT_TRUE(all.ok()) << all.status();
    for (const StoredMessage& stored : *all) {
      const std::string& client = stored.message.client_id();
      if (std::ranges::find(clients, client) != clients.end()) ids.push_back(stored.message.id());
    }
    const std::size_t surplus = ids.size() - std::min(ids.size(), limit);
    if (query.after.has_value()) {
      ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(surplus));
    } else {
      ids.resize(ids.size() - surplus);
    }
    return ids;
  };
  const std::vector<std::vector<v1::MessageState>> kinds = {
      {},
      {v1::MESSAGE_STATE_QUEUED},
      {v1::MESSAGE_STATE_DEAD},
      {v1::MESSAGE_STATE_RETRYING, v1::MESSAGE_STATE_DEAD},
      {v1::MESSAGE_STATE_QUEUED, v1::MESSAGE_STATE_DELIVERED}};
  for (const auto& states : kinds) {
    for (const int limit : {1, 2, 3, 10, 100}) {
      MessageQuery query;
      query.limit = limit;
      query.states = states;
      query.clients = clients;
      SCOPED_TRACE(::testing::Message() << limit << " of " << states.size() << " states");
      EXPECT_FALSE(List(query).empty());
      EXPECT_EQ(List(query), expected(query));
      query.before = IdOf(waiting[40]);
      EXPECT_EQ(List(query), expected(query));
      query.before.reset();
      query.after = IdOf(waiting[20]);
      EXPECT_EQ(List(query), expected(query));
    }
  }
}

// The page of several clients is looked for in one day first: it must not end there.
TEST_F(MessageReadsTest, APageOfSeveralClientsGoesOnBeyondADay) {
  std::vector<v1::Envelope> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(MakeEnvelope(i % 2 == 0 ? "acme" : "bolt"));
    // Two in each of three days.
    const std::int64_t at_us = NowMicros() - std::int64_t{86'400} * 1'000'000 * 2 * (2 - i / 2);
    all.back().set_id(std::string(UuidV7Generator().Next(at_us).bytes()));
  }
  std::sort(all.begin(), all.end(),
            [](const v1::Envelope& a, const v1::Envelope& b) { return a.id() < b.id(); });
  ASSERT_TRUE(Deliver(*writer_, all).get().status.ok());
  const auto ids = [&all](std::initializer_list<int> places) {
    std::vector<std::string> texts;
    for (const int place : places) texts.push_back(Text(all[static_cast<std::size_t>(place)]));
    return texts;
  };
  MessageQuery query = Any();
  query.clients = {"acme", "bolt"};
  EXPECT_EQ(List(query), ids({5, 4, 3, 2, 1, 0}));
  query.limit = 2;
  EXPECT_EQ(List(query), ids({5, 4}));
  query.limit = 3;
  EXPECT_EQ(List(query), ids({5, 4, 3}));
  query.before = IdOf(all[3]);
  EXPECT_EQ(List(query), ids({2, 1, 0}));
  query.before.reset();
  query.after = IdOf(all[0]);
  query.limit = 1;
  EXPECT_EQ(List(query), ids({1}));
  query.limit = 3;
  EXPECT_EQ(List(query), ids({3, 2, 1}));
}

// No list may read a table from end to end: each statement goes by an index, and one on a column
// where there is a condition on it.
TEST_F(MessageReadsTest, EveryListGoesByAnIndex) {
  for (int i = 0; i < 40; ++i) {
    std::vector<v1::Envelope> some;
    for (int k = 0; k < 50; ++k) some.push_back(MakeEnvelope("client-" + std::to_string(k)));
    ASSERT_TRUE(
        (i % 4 == 0 ? Register(*writer_, some) : Deliver(*writer_, some)).get().status.ok());
  }
  ASSERT_TRUE(connection_
                  ->Execute("UPDATE messages SET client_ref = HEX(id), number_hash = "
                            "RPAD(id, 32, 'x')")
                  .ok());
  ASSERT_TRUE(connection_
                  ->Query("ANALYZE TABLE messages, pending", {},
                          [](const db::Row&) { return absl::OkStatus(); })
                  .ok());
  const std::int64_t now_us = NowMicros();
  const Uuid middle = UuidV7Generator().Next(now_us - 1'000'000);
  const auto with = [&](const std::function<void(MessageQuery&)>& change) {
    MessageQuery query;
    query.limit = 51;
    change(query);
    return query;
  };
  std::vector<std::string> many;
  for (int i = 0; i < 9; ++i) many.push_back(StrCat("client-", i));
  const std::map<std::string, MessageQuery> queries = {
      {"all", with([](MessageQuery&) {})},
      {"deep", with([&](MessageQuery& q) { q.before = middle; })},
      {"back", with([&](MessageQuery& q) { q.after = middle; })},
      {"time", with([&](MessageQuery& q) {
         q.accepted_from_us = now_us - 60'000'000;
         q.accepted_until_us = now_us;
       })},
      {"client", with([](MessageQuery& q) { q.client_id = "client-7"; })},
      {"client deep", with([&](MessageQuery& q) {
         q.client_id = "client-7";
         q.before = middle;
       })},
      {"clients", with([](MessageQuery& q) {
         q.clients = {"client-1", "client-2", "client-3"};
       })},
      {"many clients", with([&](MessageQuery& q) { q.clients = many; })},
      {"many clients' dead", with([&](MessageQuery& q) {
         q.clients = many;
         q.states = {v1::MESSAGE_STATE_DEAD};
       })},
      {"number", with([](MessageQuery& q) { q.number_hash = std::string(32, 'n'); })},
      {"number of clients", with([](MessageQuery& q) {
         q.number_hash = std::string(32, 'n');
         q.clients = {"client-1", "client-2"};
       })},
      {"number of a client", with([](MessageQuery& q) {
         q.number_hash = std::string(32, 'n');
         q.client_id = "client-7";
       })},
      {"reference of clients", with([](MessageQuery& q) {
         q.client_ref = "order-7";
         q.clients = {"client-1", "client-2"};
       })},
      {"reference", with([](MessageQuery& q) { q.client_ref = "order-7"; })},
      {"delivered", with([](MessageQuery& q) { q.states = {v1::MESSAGE_STATE_DELIVERED}; })},
      {"dead", with([](MessageQuery& q) { q.states = {v1::MESSAGE_STATE_DEAD}; })},
      {"dead of a reason", with([](MessageQuery& q) {
         q.states = {v1::MESSAGE_STATE_DEAD};
         q.reason = "REASON";
       })}};
  for (const auto& [name, query] : queries) {
    for (const ListStatement& statement : ListStatements(query)) {
      const std::string sql = "EXPLAIN " + statement.sql;
      const absl::Status explained =
          connection_->Query(sql, statement.values, [&](const db::Row& row) {
            const std::string table = row.IsNull(2) ? "" : row.String(2);
            if (table != "messages" && table != "pending") return absl::OkStatus();
            const std::string type = row.IsNull(3) ? "" : row.String(3);
            const std::string key = row.IsNull(5) ? "" : row.String(5);
            EXPECT_FALSE(key.empty()) << name << " reads " << table << " whole: " << statement.sql;
            EXPECT_NE(type, "ALL") << name << " " << table;
            // The order of the primary key is a fine way only where nothing else is asked for, as
            // of the next senders.
            const bool of_any = query.client_id.empty() && query.clients.empty();
            const bool senders = statement.sql.starts_with("SELECT id, client_id FROM ");
            const bool by_order =
                (of_any || senders) && query.number_hash.empty() && query.client_ref.empty();
            // Where the client is known a page is read in the order of the ids, and ends when full.
            const std::string extra = row.IsNull(9) ? "" : row.String(9);
            if (table == "messages" && key == "client") {
              EXPECT_EQ(extra.find("filesort"), std::string::npos) << name << " " << extra;
            }
            if (type == "index") {
              EXPECT_TRUE(by_order && key == "PRIMARY") << name << " " << key;
            }
            return absl::OkStatus();
          });
      EXPECT_TRUE(explained.ok()) << name << ": " << explained << " " << statement.sql;
    }
  }
}

TEST_F(MessageReadsTest, AMessageInBothTablesIsDelivered) {
  const v1::Envelope envelope = MakeEnvelope();
  ASSERT_TRUE(Register(*writer_, {envelope}).get().status.ok());
  ASSERT_TRUE(connection_->Execute("UPDATE pending SET id = REVERSE(id)").ok());
  ASSERT_TRUE(Deliver(*writer_, {envelope}).get().status.ok());
  ASSERT_TRUE(connection_->Execute("UPDATE pending SET id = REVERSE(id)").ok());
  ASSERT_EQ(PendingRows() + DeliveredRows(), 2);
  EXPECT_THAT(List(Any()), SizeIs(1));
  EXPECT_EQ((*FindMessage(*connection_, IdOf(envelope), ""))->message.state(),
            v1::MESSAGE_STATE_DELIVERED);
}

TEST_F(MessageReadsTest, AnUnreadableEntryIsListedAsDead) {
  v1::DeliverMessagesRequest request;
  v1::Delivery& delivery = *request.add_deliveries();
  delivery.set_unreadable_entry(std::string("\xff\x00 not an envelope", 18));
  delivery.mutable_position()->set_shard(3);
  delivery.mutable_position()->set_entry_id("1700000000000-7");
  DeliveryItem item;
  item.delivery = &delivery;
  item.id = IdOfUnreadable(delivery.position(), delivery.unreadable_entry());
  item.dead_reason = kUnreadableEntry;
  for (int i = 0; i < 2; ++i) {
    std::promise<absl::Status> done;
    ASSERT_TRUE(writer_->TryDeliver({item}, Deadline::After(10s),
                                    [&](absl::Status status, std::vector<Outcome> outcomes) {
                                      EXPECT_EQ(outcomes[0].kind, Outcome::Kind::kDead);
                                      done.set_value(std::move(status));
                                    }));
    ASSERT_TRUE(done.get_future().get().ok());
  }
  // Delivered twice, it is one dead letter.
  auto listed = ListMessages(*connection_, Any());
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ((*listed)[0].message.reason(), kUnreadableEntry);
  EXPECT_EQ((*listed)[0].message.client_id(), "unknown");
  EXPECT_EQ(Number("SELECT LENGTH(envelope) FROM pending"), 18);
}

}  // namespace
}  // namespace postern::messages
