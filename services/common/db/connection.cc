#include "services/common/db/connection.h"

#include <cppconn/exception.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>
#include <mysql_connection.h>
#include <mysql_driver.h>

#include "absl/container/flat_hash_map.h"
#include "services/common/base/strings.h"
#include "services/common/db/error_map.h"

namespace postern::db {
namespace {

// Programs use a few dozen statements; more than this means that some text is built from values.
constexpr std::size_t kPreparedStatementsMax = 512;

// One statement, since a failed one of several would leave the session half set.
constexpr char kSessionSql[] =
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    " time_zone = '+00:00', tx_isolation = 'READ-COMMITTED'";

class ResultRow final : public Row {
 public:
  explicit ResultRow(sql::ResultSet& result) : result_(result) {}
  bool IsNull(std::size_t column) const override { return result_.isNull(Index(column)); }
  std::int64_t Int(std::size_t column) const override { return result_.getInt64(Index(column)); }
  std::string String(std::size_t column) const override {
    return result_.getString(Index(column)).asStdString();
  }

 private:
  static std::uint32_t Index(std::size_t column) { return static_cast<std::uint32_t>(column + 1); }
  sql::ResultSet& result_;
};

sql::ConnectOptionsMap Options(const Settings& settings) {
  sql::ConnectOptionsMap options;
  const auto set_text = [&options](const char* key, const std::string& value) {
    if (!value.empty()) options[key] = sql::SQLString(value);
  };
  set_text("hostName", settings.host);
  options["port"] = static_cast<int>(settings.port);
  set_text("userName", settings.user);
  set_text("password", settings.password);
  set_text("schema", settings.schema);
  set_text("sslCA", settings.ca_file);
  set_text("sslCert", settings.certificate_file);
  set_text("sslKey", settings.key_file);
  // The one option of this connector that refuses a server without TLS and checks the name in its
  // certificate.
  options["sslVerify"] = true;
  set_text("OPT_TLS_VERSION", "TLSv1.2,TLSv1.3");
  set_text("OPT_CHARSET_NAME", "utf8mb4");
  options["OPT_CONNECT_TIMEOUT"] = static_cast<int>(settings.connect_timeout.count());
  options["OPT_READ_TIMEOUT"] = static_cast<int>(settings.io_timeout.count());
  options["OPT_WRITE_TIMEOUT"] = static_cast<int>(settings.io_timeout.count());
  options["OPT_RECONNECT"] = false;
  options["CLIENT_MULTI_STATEMENTS"] = false;
  return options;
}

// ER_NEED_REPREPARE: the server has tried by itself already, in vain.
constexpr int kNeedsReprepare = 1615;
constexpr int kPrepareAttempts = 5;

}  // namespace

struct Connection::Impl {
  std::unique_ptr<sql::Connection> connection;
  std::unique_ptr<sql::Statement> statement;
  // Dies before the connection that it belongs to.
  absl::flat_hash_map<std::string, std::unique_ptr<sql::PreparedStatement>> prepared;
  std::chrono::milliseconds statement_timeout{0};
  bool broken = false;

  ~Impl() {
    prepared.clear();
    statement.reset();
  }

  sql::PreparedStatement& Prepare(const std::string& sql) {
    const auto found = prepared.find(sql);
    if (found != prepared.end()) return *found->second;
    if (prepared.size() >= kPreparedStatementsMax) prepared.clear();
    std::unique_ptr<sql::PreparedStatement> made(connection->prepareStatement(sql));
    return *prepared.emplace(sql, std::move(made)).first->second;
  }

  static void Bind(sql::PreparedStatement& prepared_statement, const std::vector<Value>& values) {
    std::uint32_t index = 0;
    for (const Value& value : values) {
      ++index;
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        prepared_statement.setInt64(index, *number);
      } else if (const auto* text = std::get_if<std::string_view>(&value)) {
        prepared_statement.setString(index, sql::SQLString(text->data(), text->size()));
      } else {
        prepared_statement.setNull(index, 0);
      }
    }
  }

  // Runs `body`, which may throw; every exception of the driver ends here.
  template <typename Body>
  absl::Status Guard(std::string_view doing, const Body& body) {
    if (broken) return absl::UnavailableError("database: the connection is broken");
    try {
      return body();
    } catch (const sql::SQLException& error) {
      broken = broken || BreaksConnection(error.getErrorCode());
      return StatusOfError(doing, error.getErrorCode(), error.getSQLState());
    } catch (const std::exception&) {
      // What the driver itself trips over leaves the connection in an unknown state.
      broken = true;
      return absl::UnavailableError(StrCat("database: ", doing, ": the driver failed"));
    }
  }

  // Runs `body` with the prepared statement. One that the server cannot use any more, since its
  // table was changed meanwhile, did nothing: it is prepared anew, in the same transaction.
  template <typename Body>
  absl::Status WithPrepared(std::string_view doing, const std::string& sql,
                            const std::vector<Value>& values, const Body& body) {
    for (int attempt = 1;; ++attempt) {
      bool stale = false;
      absl::Status status = Guard(doing, [&]() -> absl::Status {
        try {
          sql::PreparedStatement& statement_of_sql = Prepare(sql);
          Bind(statement_of_sql, values);
          return body(statement_of_sql);
        } catch (const sql::SQLException& error) {
          stale = error.getErrorCode() == kNeedsReprepare && attempt < kPrepareAttempts;
          if (!stale) throw;
          return absl::OkStatus();
        }
      });
      if (!stale) return status;
      prepared.erase(sql);
    }
  }

  absl::Status Text(std::string_view doing, const std::string& sql) {
    return Guard(doing, [&]() -> absl::Status {
      statement->execute(sql);
      return absl::OkStatus();
    });
  }
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Settings& settings) {
  if (settings.ca_file.empty()) {
    return absl::FailedPreconditionError("database: no CA file is set, and TLS is not optional");
  }
  auto impl = std::make_unique<Impl>();
  std::string cipher;
  absl::Status status = impl->Guard("connect", [&]() -> absl::Status {
    sql::ConnectOptionsMap options = Options(settings);
    impl->connection.reset(sql::mysql::get_mysql_driver_instance()->connect(options));
    impl->statement.reset(impl->connection->createStatement());
    impl->statement->execute(kSessionSql);
    const std::unique_ptr<sql::ResultSet> answer(
        impl->statement->executeQuery("SHOW SESSION STATUS LIKE 'Ssl_cipher'"));
    if (answer->next()) cipher = answer->getString(2).asStdString();
    return absl::OkStatus();
  });
  if (!status.ok()) {
    // 2026 (CR_SSL_CONNECTION_ERROR): no TLS on the other side, or a certificate that is not the
    // one expected.
    if (status.message().find("error 2026 ") != absl::string_view::npos) {
      return absl::FailedPreconditionError(
          "database: TLS could not be established: the server offers none, or its certificate does "
          "not "
          "fit the CA file and the host name (error 2026)");
    }
    return status;
  }
  if (cipher.empty()) {
    return absl::FailedPreconditionError("database: the connection is not encrypted");
  }
  return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

absl::StatusOr<std::int64_t> Connection::Execute(const std::string& sql,
                                                 const std::vector<Value>& values) {
  std::int64_t affected = 0;
  absl::Status status =
      impl_->WithPrepared("execute", sql, values, [&](sql::PreparedStatement& prepared) {
        affected = prepared.executeUpdate();
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return affected;
}

absl::Status Connection::Query(const std::string& sql, const std::vector<Value>& values,
                               const std::function<absl::Status(const Row&)>& on_row) {
  return impl_->WithPrepared(
      "query", sql, values, [&](sql::PreparedStatement& prepared) -> absl::Status {
        const std::unique_ptr<sql::ResultSet> result(prepared.executeQuery());
        const ResultRow row(*result);
        while (result->next()) {
          absl::Status status = on_row(row);
          if (!status.ok()) return status;
        }
        return absl::OkStatus();
      });
}

absl::Status Connection::ExecuteScriptStatement(const std::string& sql) {
  return impl_->Text("migrate", sql);
}

absl::Status Connection::SetStatementTimeout(std::chrono::milliseconds timeout) {
  if (timeout == impl_->statement_timeout) return absl::OkStatus();
  absl::Status status = impl_->Text(
      "set statement timeout",
      StrCat("SET SESSION max_statement_time = ", static_cast<double>(timeout.count()) / 1000.0));
  if (status.ok()) impl_->statement_timeout = timeout;
  return status;
}

absl::Status Connection::Begin() { return impl_->Text("begin", "START TRANSACTION"); }

absl::Status Connection::Commit() { return impl_->Text("commit", "COMMIT"); }

void Connection::Rollback() {
  if (impl_->broken) return;
  if (!impl_->Text("rollback", "ROLLBACK").ok()) impl_->broken = true;
}

void Connection::Ping() {
  if (!impl_->broken && !impl_->Text("ping", "DO 0").ok()) impl_->broken = true;
}

bool Connection::usable() const { return !impl_->broken; }

std::string Placeholders(std::size_t rows, std::size_t columns) {
  std::string group = "(";
  for (std::size_t column = 0; column < columns; ++column) group += column == 0 ? "?" : ",?";
  group += ")";
  std::string out;
  out.reserve(rows * (group.size() + 1));
  for (std::size_t row = 0; row < rows; ++row) {
    if (row > 0) out += ",";
    out += group;
  }
  return out;
}

void InitializeDriver() { sql::mysql::get_mysql_driver_instance(); }

DriverThread::DriverThread() { sql::mysql::get_mysql_driver_instance()->threadInit(); }
DriverThread::~DriverThread() { sql::mysql::get_mysql_driver_instance()->threadEnd(); }

}  // namespace postern::db
