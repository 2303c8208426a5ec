#include "services/messages/row_lease.h"

#include <utility>

namespace postern::messages {
namespace {

// Assignments run from left to right: the end comes last, since the others look at it.
constexpr char kAcquire[] =
    "INSERT INTO leases (name, holder, token, expires_at_us)"
    " SELECT ?, ?, 1, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) + ?"
    " ON DUPLICATE KEY UPDATE"
    " token = token + (leases.expires_at_us <= CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)),"
    " holder = IF(leases.expires_at_us <= CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED),"
    " VALUES(holder), leases.holder),"
    " expires_at_us ="
    " IF(leases.holder = VALUES(holder), VALUES(expires_at_us), leases.expires_at_us)";
constexpr char kRead[] = "SELECT token FROM leases WHERE name = ? AND holder = ?";
constexpr char kSeize[] =
    "UPDATE leases SET token = token + 1, expires_at_us = 0, holder = ?"
    " WHERE name = ? AND holder <> ?";
constexpr char kHolder[] =
    "SELECT holder FROM leases WHERE name = ?"
    " AND expires_at_us > CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";
constexpr char kRelease[] = "UPDATE leases SET expires_at_us = 0 WHERE name = ? AND holder = ?";

}  // namespace

RowLease::RowLease(std::string name, std::string holder, std::chrono::milliseconds duration)
    : name_(std::move(name)),
      holder_(std::move(holder)),
      duration_us_(std::chrono::microseconds(duration).count()) {}

absl::StatusOr<std::optional<std::int64_t>> RowLease::Acquire(db::Connection& connection) const {
  const absl::StatusOr<std::int64_t> written = connection.Execute(
      kAcquire, {std::string_view(name_), std::string_view(holder_), duration_us_});
  if (!written.ok()) return written.status();
  std::optional<std::int64_t> token;
  const absl::Status status = connection.Query(
      kRead, {std::string_view(name_), std::string_view(holder_)}, [&token](const db::Row& row) {
        token = row.Int(0);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return token;
}

absl::StatusOr<std::int64_t> RowLease::Seize(db::Connection& connection) const {
  const absl::StatusOr<std::int64_t> seized = connection.Execute(
      kSeize, {std::string_view(holder_), std::string_view(name_), std::string_view(holder_)});
  if (!seized.ok()) return seized.status();
  const absl::StatusOr<std::optional<std::int64_t>> token = Acquire(connection);
  if (!token.ok()) return token.status();
  // Only when another server seizes it in the same moment.
  if (!token->has_value()) return absl::AbortedError("another server took the lease: try again");
  return **token;
}

absl::StatusOr<std::string> RowLease::Holder(db::Connection& connection) const {
  std::string holder;
  const absl::Status status =
      connection.Query(kHolder, {std::string_view(name_)}, [&holder](const db::Row& row) {
        holder = row.String(0);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return holder;
}

absl::Status RowLease::Release(db::Connection& connection) const {
  return connection.Execute(kRelease, {std::string_view(name_), std::string_view(holder_)})
      .status();
}

}  // namespace postern::messages
