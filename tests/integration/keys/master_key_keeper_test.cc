#include "services/keys/master_key_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "tests/support/shared_mariadb.h"

namespace postern::keys {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string Message(const absl::Status& status) { return std::string(ToStd(status.message())); }

// A line of a key file: version 2 with fill 'b' is `2:bbbb…`.
std::string Line(int version, char fill) {
  return StrCat(version, ":", std::string(64, fill), "\n");
}

// One main server's part: its file of master keys, its store, its keeper.
struct Server {
  Server(const db::Settings& database, std::string server_name, const std::string& lines)
      : name(std::move(server_name)),
        file(std::filesystem::temp_directory_path() /
             StrCat("postern-", Uuid::Random().ToString())),
        executor(database, 1, 16, metrics) {
    Write(lines);
    store = std::make_unique<DataKeyStore>(MasterKeys({}), executor, metrics);
    MasterKeyKeeper::Settings settings;
    settings.database = database;
    settings.key_file = file;
    settings.server = name;
    keeper = std::make_unique<MasterKeyKeeper>(std::move(settings), *store, metrics);
  }
  ~Server() { std::filesystem::remove(file); }

  void Write(const std::string& lines) const {
    std::ofstream(file) << lines;
    chmod(file.c_str(), 0600);
  }
  absl::StatusOr<NewDataKey> Create() {
    std::promise<absl::StatusOr<NewDataKey>> promise;
    auto created = promise.get_future();
    EXPECT_TRUE(store->TryCreate("edge/a", Deadline::After(5s),
                                 [&](auto key) { promise.set_value(std::move(key)); }));
    return created.get();
  }

  const std::string name;
  const std::string file;
  metrics::Registry metrics{"test"};
  db::Executor executor;
  std::unique_ptr<DataKeyStore> store;
  std::unique_ptr<MasterKeyKeeper> keeper;
};

class MasterKeyKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto schema = test::SharedMariaDb::Server().CreateMigratedSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    settings_ = test::SharedMariaDb::Server().SettingsFor("postern_server", *schema);
    auto opened = db::Connection::Open(settings_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    connection_ = *std::move(opened);
  }

  std::unique_ptr<Server> MakeServer(const std::string& name, const std::string& lines) {
    auto server = std::make_unique<Server>(settings_, name, lines);
    const absl::Status prepared = server->keeper->Prepare();
    EXPECT_TRUE(prepared.ok()) << prepared;
    return server;
  }
  void Step(Server& server) {
    while (true) {
      const auto more = server.keeper->RunOnce(*connection_);
      ASSERT_TRUE(more.ok()) << more.status();
      if (!*more) return;
    }
  }
  // How many data keys each version wraps, by version.
  std::vector<std::int64_t> Wrapped(Server& server) {
    const auto states = server.keeper->Status(*connection_);
    EXPECT_TRUE(states.ok()) << states.status();
    std::vector<std::int64_t> counts;
    for (const MasterKeyState& state : *states) counts.push_back(state.data_keys);
    return counts;
  }
  void Execute(const std::string& sql) {
    const auto done = connection_->Execute(sql);
    ASSERT_TRUE(done.ok()) << done.status();
  }
  // As if the last rotation were some time ago.
  void LetTimePass() {
    Execute(
        "UPDATE master_keys SET activated_at_us = activated_at_us - 11000000"
        " WHERE activated_at_us > 0");
  }

  db::Settings settings_;
  std::unique_ptr<db::Connection> connection_;
};

TEST_F(MasterKeyKeeperTest, ARotationWrapsEveryDataKeyAnewAndNoneChanges) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  std::vector<NewDataKey> created;
  for (int i = 0; i < 250; ++i) created.push_back(*server->Create());
  server->Write(Line(1, 'a') + Line(2, 'b'));
  const auto active = server->keeper->Rotate(*connection_, 0, "operator/local");
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(*active, 2u);
  EXPECT_EQ(server->Create()->wrapped.master_key_version(), 2u);
  Step(*server);
  EXPECT_THAT(Wrapped(*server), ElementsAre(0, 251));
  // A server with an empty memory opens each of them, by the new key alone.
  const auto other = MakeServer("server-1", Line(2, 'b'));
  for (const NewDataKey& key : created) {
    const auto found = other->store->Find(key.id, v1::WrappedDataKey());
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ((*found)->view(), key.key.view());
  }
}

TEST_F(MasterKeyKeeperTest, ANewVersionInTheFileWrapsNothingBeforeTheRotation) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  server->Write(Line(1, 'a') + Line(2, 'b'));
  Step(*server);
  EXPECT_EQ(server->Create()->wrapped.master_key_version(), 1u);
}

TEST_F(MasterKeyKeeperTest, EveryServerThatLivesHasToHoldTheNewVersion) {
  const auto one = MakeServer("server-1", Line(1, 'a') + Line(2, 'b'));
  const auto two = MakeServer("server-2", Line(1, 'a') + Line(2, 'b'));
  one->Write(Line(1, 'a') + Line(2, 'b') + Line(3, 'c'));
  const auto refused = one->keeper->Rotate(*connection_, 3, "operator/local");
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(refused.status()), HasSubstr("server-2"));
  two->Write(Line(1, 'a') + Line(2, 'b') + Line(3, 'c'));
  Step(*two);
  EXPECT_TRUE(one->keeper->Rotate(*connection_, 3, "operator/local").ok());
  Step(*two);
  EXPECT_EQ(two->Create()->wrapped.master_key_version(), 3u);
}

TEST_F(MasterKeyKeeperTest, SaysWhatARotationLacks) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  EXPECT_THAT(Message(server->keeper->Rotate(*connection_, 0, "operator/local").status()),
              AllOf(HasSubstr(server->file), HasSubstr("add a line `2:")));
  EXPECT_THAT(Message(server->keeper->Rotate(*connection_, 7, "operator/local").status()),
              AllOf(HasSubstr(server->file), HasSubstr("version 7")));
}

TEST_F(MasterKeyKeeperTest, AnotherKeyUnderAKnownNumberIsRefusedAtStart) {
  const auto one = MakeServer("server-1", Line(1, 'a'));
  Server two(settings_, "server-2", Line(1, 'b'));
  const absl::Status prepared = two.keeper->Prepare();
  EXPECT_EQ(prepared.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(prepared), AllOf(HasSubstr(two.file), HasSubstr("version 1")));
  EXPECT_EQ(two.Create().status().code(), StatusCode::kUnavailable);
}

TEST_F(MasterKeyKeeperTest, AStartWithoutAKeyThatIsNeededIsRefused) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  ASSERT_TRUE(server->Create().ok());
  server->Write(Line(1, 'a') + Line(2, 'b'));
  ASSERT_TRUE(server->keeper->Rotate(*connection_, 2, "operator/local").ok());
  Server wrapping(settings_, "server-1", Line(1, 'a'));
  EXPECT_THAT(Message(wrapping.keeper->Prepare()), HasSubstr("version 2"));
  Server opening(settings_, "server-1", Line(2, 'b'));
  EXPECT_THAT(Message(opening.keeper->Prepare()),
              AllOf(HasSubstr("1 data keys are wrapped by version 1"), HasSubstr(opening.file)));
}

TEST_F(MasterKeyKeeperTest, RetiresOnlyWhatNobodyNeeds) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  const auto created = server->Create();
  server->Write(Line(1, 'a') + Line(2, 'b'));
  const auto retire = [&](std::uint32_t version) {
    return server->keeper->Retire(*connection_, version, "operator/local");
  };
  EXPECT_EQ(retire(9).code(), StatusCode::kNotFound);
  EXPECT_THAT(Message(retire(1)), HasSubstr("wraps data keys"));
  ASSERT_TRUE(server->keeper->Rotate(*connection_, 2, "operator/local").ok());
  EXPECT_THAT(Message(retire(1)), HasSubstr("less than 10 s"));
  LetTimePass();
  EXPECT_THAT(Message(retire(1)), HasSubstr("1 data keys are still wrapped by version 1"));
  Step(*server);
  ASSERT_TRUE(retire(1).ok());
  // The acts, and none for what was refused.
  std::vector<std::string> acts;
  ASSERT_TRUE(connection_
                  ->Query("SELECT actor, action, target FROM audit_log ORDER BY sequence", {},
                          [&acts](const db::Row& row) {
                            acts.push_back(
                                StrCat(row.String(0), " ", row.String(1), " ", row.String(2)));
                            return absl::OkStatus();
                          })
                  .ok());
  EXPECT_THAT(acts,
              ElementsAre("operator/local key.rotate key/2", "operator/local key.retire key/1"));
  // In memory no more, wherever the line still is.
  v1::WrappedDataKey carried = created->wrapped;
  EXPECT_EQ(server->store->Masters()->Unwrap(created->id, carried).status().code(),
            StatusCode::kFailedPrecondition);
  MakeServer("server-1", Line(2, 'b'));
}

TEST_F(MasterKeyKeeperTest, ADataKeyUnderARetiredMasterKeyIsNotStored) {
  const auto late = MakeServer("server-1", Line(1, 'a'));
  Execute("UPDATE master_keys SET retired_at_us = 1 WHERE version = 1");
  // It has not looked since.
  EXPECT_EQ(late->Create().status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(Wrapped(*late), ElementsAre(0));
}

TEST_F(MasterKeyKeeperTest, ADamagedDataKeyIsLeftAloneCountedAndRepairedByAMessage) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  const auto damaged = server->Create();
  ASSERT_TRUE(server->Create().ok());
  const std::string id = StrCat("x'", HexEncode(damaged->id.bytes()), "'");
  Execute(StrCat("UPDATE data_keys SET wrapped = REVERSE(wrapped) WHERE id = ", id));
  server->Write(Line(1, 'a') + Line(2, 'b'));
  ASSERT_TRUE(server->keeper->Rotate(*connection_, 2, "operator/local").ok());
  Step(*server);
  EXPECT_THAT(Wrapped(*server), ElementsAre(1, 1));
  EXPECT_THAT(server->metrics.Serialize(), HasSubstr("postern_data_keys_damaged 1"));

  const auto other = MakeServer("server-2", Line(1, 'a') + Line(2, 'b'));
  EXPECT_EQ(other->store->Find(damaged->id, v1::WrappedDataKey()).status().code(),
            StatusCode::kFailedPrecondition);
  const auto found = other->store->Find(damaged->id, damaged->wrapped);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->view(), damaged->key.view());
  Step(*server);
  EXPECT_THAT(Wrapped(*server), ElementsAre(0, 2));
}

TEST_F(MasterKeyKeeperTest, AnUnreadableFileTakesNoKeyAway) {
  const auto server = MakeServer("server-1", Line(1, 'a'));
  server->Write("half a li");
  EXPECT_FALSE(server->keeper->RunOnce(*connection_).ok());
  EXPECT_TRUE(server->Create().ok());
  EXPECT_THAT(server->metrics.Serialize(), HasSubstr("postern_master_keys_usable 0"));
}

}  // namespace
}  // namespace postern::keys
