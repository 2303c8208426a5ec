#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/audit/audit_keeper.h"
#include "services/audit/audit_repository.h"
#include "services/common/audit/act.h"
#include "services/common/audit/chain_check.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_mariadb.h"

namespace postern::audit {
namespace {

using testing::HasSubstr;

Act MakeAct(const std::string& target) {
  Act act;
  act.actor = "operator/alice";
  act.action = "client.create";
  act.target = target;
  act.details = {{"domain", "example.com"}};
  return act;
}

class AuditTest : public testing::Test {
 protected:
  void SetUp() override {
    auto schema = test::SharedMariaDb::Server().CreateMigratedSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    settings_ = test::SharedMariaDb::Server().SettingsFor("postern_server", *schema);
    connection_ = Open();
    folder_ = testing::TempDir() + *schema + "-audit";
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<db::Connection> Open() {
    auto connection = db::Connection::Open(settings_);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }
  void AppendRows(int count) {
    for (int i = 0; i < count; ++i) {
      const absl::Status appended = AppendAlone(*connection_, MakeAct(StrCat("client/c", i)));
      ASSERT_TRUE(appended.ok()) << appended;
    }
  }
  void Execute(const std::string& sql) {
    const auto done = connection_->Execute(sql);
    ASSERT_TRUE(done.ok()) << done.status();
  }
  // As `posternctl audit verify` does it, in pages of two.
  Fault Verify(std::vector<Checkpoint> checkpoints = {}) {
    ChainCheck check(std::move(checkpoints));
    std::int64_t after = 0;
    while (true) {
      const auto piece = SelectChain(*connection_, after, 2);
      EXPECT_TRUE(piece.ok()) << piece.status();
      for (const Row& row : piece->rows) {
        if (!check.Feed(row)) return *check.fault();
        after = row.sequence;
      }
      if (piece->rows.size() < 2) {
        check.End(piece->head);
        return check.fault().value_or(Fault());
      }
    }
  }
  std::vector<Row> Rows() {
    RowQuery query;
    query.limit = 1000;
    auto rows = SelectRows(*connection_, query);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return *rows;
  }
  std::unique_ptr<AuditKeeper> StartKeeper() {
    auto keeper = std::make_unique<AuditKeeper>(
        AuditKeeper::Settings{settings_, folder_, "server-1"}, metrics_);
    const absl::Status started = keeper->Start();
    EXPECT_TRUE(started.ok()) << started;
    return keeper;
  }
  std::vector<Checkpoint> Checkpoints() {
    CheckpointReader reader;
    const auto key = ReadFile(folder_ + "/checkpoint.pub");
    const auto content = ReadFile(folder_ + "/checkpoints.jsonl");
    if (!key.ok() || !content.ok()) return {};
    EXPECT_TRUE(reader.AddKey(*key).ok());
    auto read = reader.Read(*content);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *read : std::vector<Checkpoint>();
  }

  metrics::Registry metrics_{"test"};
  db::Settings settings_;
  std::unique_ptr<db::Connection> connection_;
  std::string folder_;
};

TEST_F(AuditTest, AnActIsStoredWithItsTransactionOrNotAtAll) {
  ASSERT_TRUE(connection_->Begin().ok());
  ASSERT_TRUE(Append(*connection_, MakeAct("client/lost")).ok());
  connection_->Rollback();
  AppendRows(1);
  const auto rows = Rows();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].sequence, 1);
  EXPECT_EQ(rows[0].actor, "operator/alice");
  EXPECT_EQ(rows[0].details, R"({"domain":"example.com"})");
  EXPECT_EQ(Verify().what, "");
}

TEST_F(AuditTest, SeveralServersAppendToOneChain) {
  constexpr int kServers = 4;
  constexpr int kActs = 50;
  std::vector<std::thread> servers;
  for (int server = 0; server < kServers; ++server) {
    servers.emplace_back([this, server] {
      const db::DriverThread driver_thread;
      const auto connection = Open();
      for (int i = 0; i < kActs; ++i) {
        const absl::Status appended =
            AppendAlone(*connection, MakeAct(StrCat("client/", server, "-", i)));
        EXPECT_TRUE(appended.ok()) << appended;
      }
    });
  }
  for (std::thread& server : servers) server.join();
  EXPECT_EQ(Rows().size(), std::size_t{kServers * kActs});
  EXPECT_EQ(Verify().what, "");
}

TEST_F(AuditTest, WhatAPeerSentCannotSpoilARow) {
  Act act = MakeAct("method/\n\xff\x1b[31m");
  act.details = {{"reason", "\xff\xc3\xa9\n"}};
  const absl::Status appended = AppendAlone(*connection_, act);
  ASSERT_TRUE(appended.ok()) << appended;
  EXPECT_EQ(Rows().front().target, "method/???[31m");
  EXPECT_EQ(Rows().front().details, "{\"reason\":\"\\ufffd\\u00e9\\n\"}");
  EXPECT_EQ(Verify().what, "");
  EXPECT_EQ(AppendAlone(*connection_, MakeAct(std::string(300, 'x'))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(AppendAlone(*connection_, MakeAct("client/next")).ok());
}

TEST_F(AuditTest, AnEditADeletionAndAChangeOfOrderAreFoundInTheTable) {
  AppendRows(6);
  ASSERT_EQ(Verify().what, "");
  Execute("UPDATE audit_log SET actor = 'operator/mallory' WHERE sequence = 4");
  EXPECT_EQ(Verify().first, 4);
  Execute("UPDATE audit_log SET actor = 'operator/alice' WHERE sequence = 4");
  ASSERT_EQ(Verify().what, "");
  Execute("UPDATE audit_log SET sequence = 1000 WHERE sequence = 2");
  Execute("UPDATE audit_log SET sequence = 2 WHERE sequence = 5");
  Execute("UPDATE audit_log SET sequence = 5 WHERE sequence = 1000");
  EXPECT_EQ(Verify().first, 2);
  Execute("DELETE FROM audit_log WHERE sequence IN (2, 3)");
  const Fault gap = Verify();
  EXPECT_EQ(gap.first, 2);
  EXPECT_EQ(gap.last, 3);
}

TEST_F(AuditTest, ACutTailIsFoundEvenWhenTheHeadWasSetBack) {
  AppendRows(3);
  const std::string hash_of_2 = Rows()[1].hash;
  auto keeper = StartKeeper();
  ASSERT_TRUE(test::Eventually([this] { return Checkpoints().size() == 1; }));
  keeper->Stop();
  Execute("DELETE FROM audit_log WHERE sequence = 3");
  EXPECT_EQ(Verify().first, 3);
  const auto set_back = connection_->Execute("UPDATE audit_head SET sequence = 2, hash = ?",
                                             {std::string_view(hash_of_2)});
  ASSERT_TRUE(set_back.ok());
  EXPECT_EQ(Verify().what, "");
  EXPECT_EQ(Verify(Checkpoints()).first, 3);
  // The server sees it, too, and signs nothing that would hide it.
  AppendRows(2);
  keeper = StartKeeper();
  EXPECT_TRUE(test::Eventually(
      [this] { return metrics_.Serialize().find("postern_audit_broken 1") != std::string::npos; }));
  keeper->Stop();
  EXPECT_EQ(Checkpoints().size(), 1u);
  EXPECT_THAT(Verify(Checkpoints()).what, HasSubstr("rewritten"));
}

TEST_F(AuditTest, ACheckpointFollowsEachGrowthAndASignerSurvivesARestart) {
  auto keeper = StartKeeper();
  AppendRows(2);
  ASSERT_TRUE(test::Eventually(
      [this] { return !Checkpoints().empty() && Checkpoints().back().sequence == 2; }));
  keeper->Stop();
  keeper = StartKeeper();
  AppendRows(1);
  EXPECT_TRUE(test::Eventually([this] { return Checkpoints().back().sequence == 3; }));
  keeper->Stop();
  EXPECT_EQ(Verify(Checkpoints()).what, "");
}

TEST_F(AuditTest, ALineThatAKillCutOffDoesNotSpoilTheNext) {
  AppendRows(1);
  auto keeper = StartKeeper();
  ASSERT_TRUE(test::Eventually([this] { return Checkpoints().size() == 1; }));
  keeper->Stop();
  const std::string path = folder_ + "/checkpoints.jsonl";
  ASSERT_TRUE(WriteFileAtomically(path, *ReadFile(path) + "{\"format\":1,\"se").ok());
  keeper = StartKeeper();
  AppendRows(1);
  EXPECT_TRUE(test::Eventually([this] { return Checkpoints().size() == 2; }));
  keeper->Stop();
  EXPECT_EQ(Verify(Checkpoints()).what, "");
}

TEST_F(AuditTest, RefusalsBecomeRowsWithACount) {
  auto keeper = StartKeeper();
  test::SharedMariaDb::Server().Stop();  // What cannot be written now is written later.
  for (int i = 0; i < 3; ++i) keeper->refusals().Note("worker/w", "/postern.v1.Keys/Create");
  keeper->refusals().Note("", "/x");
  ASSERT_TRUE(test::SharedMariaDb::Server().StartAgain().ok());
  connection_ = Open();
  ASSERT_TRUE(test::Eventually([this] { return Rows().size() == 2; }));
  keeper->Stop();
  RowQuery query;
  query.limit = 10;
  query.actor = "worker/w";
  const auto rows = SelectRows(*connection_, query);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().outcome, 2);
  EXPECT_EQ(rows->front().target, "method/postern.v1.Keys/Create");
  EXPECT_EQ(rows->front().details, R"({"count":"3"})");
}

TEST(RefusalLogTest, CountsEachKindByItself) {
  RefusalLog refusals;
  Act act;
  act.actor = "user/bob@example.org";
  act.action = "page.open";
  act.target = "page/users";
  act.details = {{"reason", "role"}};
  refusals.Note(act);
  refusals.Note(act);
  act.details = {{"reason", "form"}};
  refusals.Note(act);
  refusals.PutBack(refusals.Take());
  const std::vector<Act> acts = refusals.Take();
  ASSERT_EQ(acts.size(), 2u);
  using Details = std::map<std::string, std::string>;
  EXPECT_EQ(acts[0].details, (Details{{"count", "1"}, {"reason", "form"}}));
  EXPECT_EQ(acts[1].details, (Details{{"count", "2"}, {"reason", "role"}}));
  EXPECT_EQ(acts[1].outcome, Outcome::kRefused);
}

TEST_F(AuditTest, AFloodOfRefusalsIsBoundedAndCounted) {
  RefusalLog refusals;
  for (int i = 0; i < 1000; ++i) refusals.Note("worker/w", StrCat("/m", i));
  const auto acts = refusals.Take();
  EXPECT_LE(acts.size(), 257u);
  std::int64_t count = 0;
  for (const Act& act : acts) count += std::stoll(act.details.at("count"));
  EXPECT_EQ(count, 1000);
  EXPECT_TRUE(refusals.Take().empty());
}

}  // namespace
}  // namespace postern::audit
