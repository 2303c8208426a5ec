#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "services/common/base/strings.h"
#include "services/common/db/connection.h"
#include "services/common/db/executor.h"
#include "services/common/db/migrations.h"
#include "services/common/metrics/metrics.h"
#include "tests/support/shared_mariadb.h"
#include "tests/support/test_certificates.h"

namespace postern::db {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class DbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto schema = test::SharedMariaDb::Server().CreateSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    schema_ = *schema;
  }

  static std::unique_ptr<Connection> Open(const std::string& user, const std::string& schema) {
    auto connection = Connection::Open(test::SharedMariaDb::Server().SettingsFor(user, schema));
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? *std::move(connection) : nullptr;
  }

  static std::int64_t Number(Connection& connection, const std::string& sql) {
    std::int64_t number = -1;
    const absl::Status status = connection.Query(sql, {}, [&number](const Row& row) {
      number = row.Int(0);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return number;
  }

  std::string schema_;
};

TEST_F(DbTest, ReadsBackWhatItWrote) {
  auto connection = Open("postern_migrator", schema_);
  ASSERT_TRUE(
      connection
          ->ExecuteScriptStatement("CREATE TABLE t (id BINARY(16) PRIMARY KEY, n BIGINT NULL,"
                                   " s VARCHAR(40) CHARACTER SET utf8mb4)")
          .ok());
  const std::string id("\x00\xff\x80 0123456789\x00\xfe", 16);
  const std::string text = "Grüße, 漢字, 🙂";
  auto affected = connection->Execute(
      StrCat("INSERT INTO t VALUES ", Placeholders(2, 3)),
      {std::string_view(id), std::int64_t{-5}, std::string_view(text),
       std::string_view("0123456789abcdef"), std::monostate{}, std::string_view("")});
  ASSERT_TRUE(affected.ok()) << affected.status();
  EXPECT_EQ(*affected, 2);
  int rows = 0;
  const absl::Status status = connection->Query(
      "SELECT id, n, s FROM t WHERE id IN (?, ?) ORDER BY id",
      {std::string_view(id), std::string_view("0123456789abcdef")}, [&](const Row& row) {
        if (++rows == 1) {
          EXPECT_EQ(row.String(0), id);
          EXPECT_EQ(row.Int(1), -5);
          EXPECT_EQ(row.String(2), text);
        } else {
          EXPECT_TRUE(row.IsNull(1));
          EXPECT_EQ(row.String(2), "");
        }
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(rows, 2);
}

TEST_F(DbTest, RowsThatStayTheSameAreNotAffected) {
  auto connection = Open("postern_migrator", schema_);
  ASSERT_TRUE(connection->ExecuteScriptStatement("CREATE TABLE t (id BIGINT PRIMARY KEY)").ok());
  const std::string sql = "INSERT INTO t VALUES (?), (?), (?) ON DUPLICATE KEY UPDATE id = id";
  const std::vector<Value> values{std::int64_t{1}, std::int64_t{2}, std::int64_t{2}};
  EXPECT_EQ(connection->Execute(sql, values).value_or(-1), 2);
  EXPECT_EQ(connection->Execute(sql, values).value_or(-1), 0);
}

TEST_F(DbTest, RefusesAServerWithoutTls) {
  auto plain =
      test::MariaDbServer::Start(test::SharedMariaDb::Certificates().Leaf("server", "plain"), {},
                                 test::MariaDbServer::Tls::kOff);
  ASSERT_TRUE(plain.ok()) << plain.status();
  Settings settings = (*plain)->SettingsFor("postern_server", "");
  settings.ca_file = test::SharedMariaDb::Certificates().ca_file();
  EXPECT_EQ(Connection::Open(settings).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DbTest, RefusesAServerOfAnotherAuthority) {
  test::TestCertificates other;
  Settings settings = test::SharedMariaDb::Server().SettingsFor("postern_server", schema_);
  settings.ca_file = other.ca_file();
  EXPECT_EQ(Connection::Open(settings).status().code(), absl::StatusCode::kFailedPrecondition);
  settings.ca_file.clear();
  EXPECT_EQ(Connection::Open(settings).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DbTest, RefusesACertificateForAnotherHost) {
  Settings settings = test::SharedMariaDb::Server().SettingsFor("postern_server", schema_);
  settings.host = "127.0.0.2";
  const absl::StatusCode code = Connection::Open(settings).status().code();
  EXPECT_TRUE(code == absl::StatusCode::kFailedPrecondition ||
              code == absl::StatusCode::kUnavailable);
}

TEST_F(DbTest, WrongPasswordIsPermissionDeniedAndStaysOutOfTheMessage) {
  Settings settings = test::SharedMariaDb::Server().SettingsFor("postern_server", schema_);
  settings.password = "not-the-password";
  const absl::Status status = Connection::Open(settings).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(status.ToString(), ::testing::Not(HasSubstr("not-the-password")));
}

TEST_F(DbTest, NobodyThereIsUnavailable) {
  Settings settings = test::SharedMariaDb::Server().SettingsFor("postern_server", schema_);
  settings.port = 1;
  EXPECT_EQ(Connection::Open(settings).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(DbTest, MapsErrorsByNumber) {
  auto connection = Open("postern_migrator", schema_);
  ASSERT_TRUE(
      connection
          ->ExecuteScriptStatement(
              "CREATE TABLE t (id BIGINT PRIMARY KEY, s VARCHAR(3) CHARACTER SET ascii NOT NULL)")
          .ok());
  const std::string insert = "INSERT INTO t VALUES (?, ?)";
  ASSERT_TRUE(connection->Execute(insert, {std::int64_t{1}, std::string_view("a")}).ok());
  const auto code = [&](std::vector<Value> values) {
    const absl::Status status = connection->Execute(insert, values).status();
    EXPECT_THAT(status.ToString(), ::testing::Not(HasSubstr("secret")));
    return status.code();
  };
  EXPECT_EQ(code({std::int64_t{1}, std::string_view("b")}), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(code({std::int64_t{2}, std::string_view("secret")}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({std::int64_t{2}, std::string_view("ü")}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({std::int64_t{2}, std::monostate{}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(connection->Execute("SELEKT").status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(connection->Execute("DELETE FROM missing").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(connection->usable());
  auto rows_only = Open("postern_server", schema_);
  EXPECT_EQ(rows_only->ExecuteScriptStatement("DROP TABLE t").code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(DbTest, LockWaitAndDeadlockAreAborted) {
  auto first = Open("postern_migrator", schema_);
  auto second = Open("postern_migrator", schema_);
  ASSERT_TRUE(
      first->ExecuteScriptStatement("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").ok());
  ASSERT_TRUE(first->Execute("INSERT INTO t VALUES (1, 0)").ok());
  ASSERT_TRUE(second->ExecuteScriptStatement("SET SESSION innodb_lock_wait_timeout = 1").ok());
  ASSERT_TRUE(first->Begin().ok());
  ASSERT_TRUE(first->Execute("UPDATE t SET n = 1 WHERE id = 1").ok());
  EXPECT_EQ(second->Execute("UPDATE t SET n = 2 WHERE id = 1").status().code(),
            absl::StatusCode::kAborted);
  first->Rollback();
  EXPECT_TRUE(second->Execute("UPDATE t SET n = 2 WHERE id = 1").ok());
}

TEST_F(DbTest, StatementTimeoutEndsTheStatementNotTheConnection) {
  auto connection = Open("postern_server", schema_);
  ASSERT_TRUE(connection->SetStatementTimeout(100ms).ok());
  const auto ignore = [](const Row&) { return absl::OkStatus(); };
  const auto start = std::chrono::steady_clock::now();
  // Not SLEEP: it answers 1 when it is interrupted.
  const absl::Status status = connection->Query(
      "SELECT COUNT(*) FROM information_schema.collations a, information_schema.collations b,"
      " information_schema.collations c, information_schema.collations d",
      {}, ignore);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_TRUE(connection->usable());
  ASSERT_TRUE(connection->SetStatementTimeout(0ms).ok());
  EXPECT_EQ(Number(*connection, "SELECT 7"), 7);
}

TEST_F(DbTest, AKilledConnectionIsUnavailableAndNotUsable) {
  auto victim = Open("postern_server", schema_);
  auto killer = Open("postern_server", schema_);
  const std::int64_t id = Number(*victim, "SELECT CONNECTION_ID()");
  ASSERT_TRUE(killer->ExecuteScriptStatement(StrCat("KILL ", id)).ok());
  const absl::Status status =
      victim->Query("SELECT 1", {}, [](const Row&) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_FALSE(victim->usable());
  victim->Rollback();
  EXPECT_EQ(victim->Begin().code(), absl::StatusCode::kUnavailable);
}

TEST_F(DbTest, APingFindsOutThatAConnectionIsDead) {
  auto victim = Open("postern_server", schema_);
  victim->Ping();
  EXPECT_TRUE(victim->usable());
  const std::int64_t id = Number(*victim, "SELECT CONNECTION_ID()");
  auto killer = Open("postern_server", schema_);
  ASSERT_TRUE(killer->ExecuteScriptStatement(StrCat("KILL ", id)).ok());
  victim->Ping();
  EXPECT_FALSE(victim->usable());
}

TEST_F(DbTest, TransactionsRollBackAndCommit) {
  auto connection = Open("postern_migrator", schema_);
  auto other = Open("postern_migrator", schema_);
  ASSERT_TRUE(connection->ExecuteScriptStatement("CREATE TABLE t (id BIGINT PRIMARY KEY)").ok());
  ASSERT_TRUE(connection->Begin().ok());
  ASSERT_TRUE(connection->Execute("INSERT INTO t VALUES (1)").ok());
  EXPECT_EQ(Number(*other, "SELECT COUNT(*) FROM t"), 0);
  connection->Rollback();
  EXPECT_EQ(Number(*connection, "SELECT COUNT(*) FROM t"), 0);
  ASSERT_TRUE(connection->Begin().ok());
  ASSERT_TRUE(connection->Execute("INSERT INTO t VALUES (1)").ok());
  ASSERT_TRUE(connection->Commit().ok());
  EXPECT_EQ(Number(*other, "SELECT COUNT(*) FROM t"), 1);
}

class ExecutorTest : public DbTest {
 protected:
  metrics::Registry registry_{"test"};
};

TEST_F(ExecutorTest, RunsWorkOnConnectionsAndRefusesWhatDoesNotFit) {
  Executor executor(test::SharedMariaDb::Server().SettingsFor("postern_server", schema_), 1, 1,
                    registry_);
  std::promise<void> started;
  std::promise<void> release;
  ASSERT_TRUE(executor.TrySubmit(Deadline::After(10s), [&](absl::StatusOr<Connection*> connection) {
    EXPECT_TRUE(connection.ok()) << connection.status();
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  std::promise<absl::Status> late;
  ASSERT_TRUE(executor.TrySubmit(Deadline::After(0s), [&](absl::StatusOr<Connection*> connection) {
    late.set_value(connection.status());
  }));
  EXPECT_FALSE(executor.TrySubmit(Deadline::After(10s), [](absl::StatusOr<Connection*>) {}));
  release.set_value();
  EXPECT_EQ(late.get_future().get().code(), absl::StatusCode::kDeadlineExceeded);
  executor.Stop();
  EXPECT_FALSE(executor.TrySubmit(Deadline::After(10s), [](absl::StatusOr<Connection*>) {}));
}

TEST_F(ExecutorTest, OpensANewConnectionAfterOneBroke) {
  Executor executor(test::SharedMariaDb::Server().SettingsFor("postern_server", schema_), 1, 10,
                    registry_);
  const auto run = [&](const std::string& sql) {
    std::promise<absl::Status> done;
    EXPECT_TRUE(
        executor.TrySubmit(Deadline::After(10s), [&](absl::StatusOr<Connection*> connection) {
          done.set_value(
              connection.ok()
                  ? (*connection)->Query(sql, {}, [](const Row&) { return absl::OkStatus(); })
                  : connection.status());
        }));
    return done.get_future().get();
  };
  EXPECT_TRUE(run("SELECT 1").ok());
  EXPECT_FALSE(run("KILL CONNECTION_ID()").ok());
  run("SELECT 1").IgnoreError();
  EXPECT_TRUE(run("SELECT 1").ok());
  EXPECT_TRUE(executor.healthy());
}

TEST_F(ExecutorTest, SaysAtOnceThatTheDatabaseIsAway) {
  Settings settings = test::SharedMariaDb::Server().SettingsFor("postern_server", schema_);
  settings.port = 1;
  Executor executor(settings, 1, 10, registry_);
  for (int i = 0; i < 5; ++i) {
    std::promise<absl::Status> done;
    ASSERT_TRUE(executor.TrySubmit(
        Deadline::After(10s),
        [&](absl::StatusOr<Connection*> connection) { done.set_value(connection.status()); }));
    EXPECT_EQ(done.get_future().get().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_FALSE(executor.healthy());
  EXPECT_THAT(registry_.Serialize(), HasSubstr("postern_db_connect_errors_total 1"));
}

class MigrationsTest : public DbTest {
 protected:
  void SetUp() override {
    DbTest::SetUp();
    folder_ = std::filesystem::path(test::SharedMariaDb::Server().folder()) / schema_;
    std::filesystem::create_directory(folder_);
    Write("V0001__create_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY)");
    Write("V0002__create_b.sql", "CREATE TABLE b (id BIGINT PRIMARY KEY)");
    connection_ = Open("postern_migrator", schema_);
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::vector<Migration> Read() const { return ReadMigrations(folder_.string()).value(); }

  std::filesystem::path folder_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(MigrationsTest, RunsWhatIsMissingOnce) {
  EXPECT_TRUE(ReadAppliedMigrations(*connection_)->empty());
  EXPECT_EQ(Migrate(*connection_, Read()).value_or(-1), 2);
  EXPECT_EQ(Migrate(*connection_, Read()).value_or(-1), 0);
  const absl::Status behind = [&] {
    Write("V0003__create_c.sql", "CREATE TABLE c (id BIGINT PRIMARY KEY)");
    return ValidateMigrations(Read(), *ReadAppliedMigrations(*connection_));
  }();
  EXPECT_EQ(behind.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(behind.ToString(), HasSubstr("V0003__create_c.sql"));
  EXPECT_THAT(behind.ToString(), HasSubstr("posternctl db migrate"));
  EXPECT_EQ(Migrate(*connection_, Read()).value_or(-1), 1);
  EXPECT_TRUE(ValidateMigrations(Read(), *ReadAppliedMigrations(*connection_)).ok());
}

TEST_F(MigrationsTest, NamesAChangedFile) {
  ASSERT_TRUE(Migrate(*connection_, Read()).ok());
  Write("V0001__create_a.sql", "CREATE TABLE a (id INT PRIMARY KEY)");
  const absl::Status status = Migrate(*connection_, Read()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.ToString(), HasSubstr("V0001__create_a.sql"));
  EXPECT_FALSE(ValidateMigrations(Read(), *ReadAppliedMigrations(*connection_)).ok());
}

TEST_F(MigrationsTest, StopsAtAFailedOneUntilItIsRepaired) {
  Write("V0002__create_b.sql", "CREATE TABLE b (oops)");
  const absl::Status first = Migrate(*connection_, Read()).status();
  EXPECT_THAT(first.ToString(), HasSubstr("V0002__create_b.sql"));
  Write("V0002__create_b.sql", "CREATE TABLE b (id BIGINT PRIMARY KEY)");
  EXPECT_THAT(Migrate(*connection_, Read()).status().ToString(), HasSubstr("failed before"));
  ASSERT_TRUE(connection_->Execute("DELETE FROM schema_history WHERE version = 2").ok());
  EXPECT_EQ(Migrate(*connection_, Read()).value_or(-1), 1);
}

TEST_F(MigrationsTest, RefusesADatabaseThatIsNewer) {
  ASSERT_TRUE(Migrate(*connection_, Read()).ok());
  std::filesystem::remove(folder_ / "V0002__create_b.sql");
  EXPECT_THAT(Migrate(*connection_, Read()).status().ToString(), HasSubstr("newer"));
}

TEST_F(MigrationsTest, RefusesWrongNamesAndGaps) {
  Write("V0004__create_d.sql", "SELECT 1");
  EXPECT_THAT(ReadMigrations(folder_.string()).status().ToString(),
              HasSubstr("V0004__create_d.sql"));
  std::filesystem::remove(folder_ / "V0004__create_d.sql");
  Write("create_d.sql", "SELECT 1");
  EXPECT_THAT(ReadMigrations(folder_.string()).status().ToString(), HasSubstr("create_d.sql"));
}

TEST_F(MigrationsTest, TwoRunsDoNotMeet) {
  Write("V0003__slow.sql", "DO SLEEP(1)");
  auto second = Open("postern_migrator", schema_);
  auto other =
      std::async(std::launch::async, [&] { return Migrate(*second, Read()).value_or(-1); });
  const int ran = Migrate(*connection_, Read()).value_or(-1);
  EXPECT_THAT((std::vector<int>{ran, other.get()}), ::testing::UnorderedElementsAre(3, 0));
}

TEST_F(MigrationsTest, TheProjectsOwnApply) {
  auto migrations = ReadMigrations("deployment/migrations");
  ASSERT_TRUE(migrations.ok()) << migrations.status();
  auto ran = Migrate(*connection_, *migrations);
  ASSERT_TRUE(ran.ok()) << ran.status();
  EXPECT_EQ(*ran, static_cast<int>(migrations->size()));
  // Rows may be written by the server's account, tables not.
  auto rows = Open("postern_server", schema_);
  EXPECT_EQ(Number(*rows, "SELECT revision FROM directory_revision"), 1);
}

}  // namespace
}  // namespace postern::db
