#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace postern::db {

struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user;
  std::string password;
  std::string schema;
  std::string ca_file;  // Required: TLS with host name verification is the only way to connect.
  std::string certificate_file;  // Client certificate, optional.
  std::string key_file;
  std::chrono::seconds connect_timeout{2};
  std::chrono::seconds io_timeout{15};  // Last resort above each statement's own limit.
};

// A value bound to a placeholder or read from a row. Strings are binary-safe.
using Value = std::variant<std::monostate, std::int64_t, std::string_view>;

// One row of an answer; columns count from 0. Valid until the next row.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool IsNull(std::size_t column) const = 0;
  virtual std::int64_t Int(std::size_t column) const = 0;
  virtual std::string String(std::size_t column) const = 0;
};

// One connection to MySQL or MariaDB (MySQL Connector/C++), blocking. SQL exceptions end here:
// errors are mapped by number to AlreadyExists (1062), Aborted (1205, 1213: try the whole
// transaction again), DeadlineExceeded (1969, 3024), InvalidArgument (data errors of one row: too
// long, out of range, wrong value), Unavailable (the connection is gone, server starting or
// stopping, disk full, read-only), Internal otherwise. The message holds the number and SQLSTATE,
// never the server's text, which may repeat values. Session: READ COMMITTED, strict mode, UTC,
// utf8mb4. Prepared statements are cached by their text. Not thread-safe: one thread at a time.
class Connection {
 public:
  // Unavailable when the server cannot be reached, PermissionDenied when it refuses,
  // FailedPrecondition when TLS is not in force.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Settings& settings);
  ~Connection();

  // Rows affected. Placeholders are `?`.
  absl::StatusOr<std::int64_t> Execute(const std::string& sql,
                                       const std::vector<Value>& values = {});
  // Calls `on_row` for each row; its error ends the query and is returned.
  absl::Status Query(const std::string& sql, const std::vector<Value>& values,
                     const std::function<absl::Status(const Row&)>& on_row);
  // Runs a statement as text, for migrations only.
  absl::Status ExecuteScriptStatement(const std::string& sql);

  // Limits each following statement (MariaDB max_statement_time). Zero takes the limit off.
  absl::Status SetStatementTimeout(std::chrono::milliseconds timeout);

  absl::Status Begin();
  absl::Status Commit();
  // Never fails: a connection that cannot roll back is broken.
  void Rollback();
  // Asks the server for a sign of life; without one the connection is not usable any more.
  void Ping();
  // False after an error that killed the connection: discard it, never reconnect.
  bool usable() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `(?,?,?),(?,?,?)`: `rows` groups of `columns` placeholders.
std::string Placeholders(std::size_t rows, std::size_t columns);

// Once in main, before threads.
void InitializeDriver();

// What the driver keeps for a thread that uses connections: make one first in the thread, so that
// it goes last.
class DriverThread {
 public:
  DriverThread();
  ~DriverThread();
  DriverThread(const DriverThread&) = delete;
  DriverThread& operator=(const DriverThread&) = delete;
};

}  // namespace postern::db
