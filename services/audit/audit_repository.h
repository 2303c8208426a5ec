#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/audit/row.h"
#include "services/common/db/connection.h"

// Reads the tables `audit_log` and `audit_head`. Each function blocks; errors are those of
// db::Connection.
namespace postern::audit {

// Which rows; empty texts are any.
struct RowQuery {
  std::string actor;
  std::string action;
  std::string target;
  std::int64_t before = 0;  // Only rows before this one; 0: all.
  std::int64_t limit = 0;
};

// Newest first.
absl::StatusOr<std::vector<Row>> SelectRows(db::Connection& connection, const RowQuery& query);

// A piece of the chain and the head, read at one moment.
struct ChainPiece {
  std::vector<Row> rows;
  Head head;
};

// At most `limit` rows after `after`, by sequence.
absl::StatusOr<ChainPiece> SelectChain(db::Connection& connection, std::int64_t after,
                                       std::int64_t limit);

}  // namespace postern::audit
