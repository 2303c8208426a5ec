#include "services/audit/audit_repository.h"

#include <limits>
#include <string_view>

namespace postern::audit {
namespace {

constexpr char kSelectRows[] =
    "SELECT sequence, at_us, actor, action, target, outcome, details, hash FROM audit_log "
    "WHERE sequence < ? AND (? = '' OR actor = ?) AND (? = '' OR action = ?) "
    "AND (? = '' OR target = ?) ORDER BY sequence DESC LIMIT ?";
// One statement sees one state of both tables.
constexpr char kSelectChain[] =
    "SELECT r.sequence, r.at_us, r.actor, r.action, r.target, r.outcome, r.details, r.hash, "
    "h.sequence, h.hash FROM audit_head h LEFT JOIN "
    "(SELECT * FROM audit_log WHERE sequence > ? ORDER BY sequence LIMIT ?) r ON TRUE "
    "ORDER BY r.sequence";

Row ReadRow(const db::Row& from) {
  Row row;
  row.sequence = from.Int(0);
  row.at_us = from.Int(1);
  row.actor = from.String(2);
  row.action = from.String(3);
  row.target = from.String(4);
  row.outcome = from.Int(5);
  row.details = from.String(6);
  row.hash = from.String(7);
  return row;
}

}  // namespace

absl::StatusOr<std::vector<Row>> SelectRows(db::Connection& connection, const RowQuery& query) {
  const std::int64_t before =
      query.before == 0 ? std::numeric_limits<std::int64_t>::max() : query.before;
  const std::string_view actor = query.actor;
  const std::string_view action = query.action;
  const std::string_view target = query.target;
  std::vector<Row> rows;
  const absl::Status status = connection.Query(
      kSelectRows, {before, actor, actor, action, action, target, target, query.limit},
      [&rows](const db::Row& row) {
        rows.push_back(ReadRow(row));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<ChainPiece> SelectChain(db::Connection& connection, std::int64_t after,
                                       std::int64_t limit) {
  ChainPiece piece;
  const absl::Status status =
      connection.Query(kSelectChain, {after, limit}, [&piece](const db::Row& row) {
        piece.head.sequence = row.Int(8);
        piece.head.hash = row.String(9);
        if (!row.IsNull(0)) piece.rows.push_back(ReadRow(row));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  if (piece.head.hash.empty()) return absl::DataLossError("the table audit_head is empty");
  return piece;
}

}  // namespace postern::audit
