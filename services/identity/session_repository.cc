#include "services/identity/session_repository.h"

#include <string_view>

namespace postern::identity {
namespace {

constexpr char kInsert[] =
    "INSERT INTO user_sessions (id, user_id, refresh_sha256, previous_sha256, created_at_us,"
    " refreshed_at_us, expires_at_us, address, user_agent) VALUES (?,?,?,?,?,?,?,?,?)";
constexpr char kLock[] =
    "SELECT id, user_id, refresh_sha256, previous_sha256, created_at_us, refreshed_at_us,"
    " expires_at_us, ended_at_us, address, user_agent FROM user_sessions WHERE id = ? FOR UPDATE";
constexpr char kSelectLive[] =
    "SELECT id, user_id, refresh_sha256, previous_sha256, created_at_us, refreshed_at_us,"
    " expires_at_us, ended_at_us, address, user_agent FROM user_sessions WHERE user_id = ?"
    " AND ended_at_us = 0 AND expires_at_us > ? ORDER BY refreshed_at_us DESC LIMIT ?";
constexpr char kUpdateRefresh[] =
    "UPDATE user_sessions SET refresh_sha256 = ?, previous_sha256 = ?, refreshed_at_us = ?,"
    " expires_at_us = ? WHERE id = ?";
constexpr char kEndOne[] =
    "UPDATE user_sessions SET ended_at_us = ?, revision = ? WHERE id = ? AND ended_at_us = 0";
constexpr char kEndOfUser[] =
    "UPDATE user_sessions SET ended_at_us = ?, revision = ? WHERE user_id = ? AND ended_at_us = 0"
    " AND id <> ?";
constexpr char kSelectEnded[] =
    "SELECT id, ended_at_us FROM user_sessions WHERE revision > ? AND ended_at_us > ?";

absl::StatusOr<std::vector<SessionRow>> Select(db::Connection& connection, const std::string& sql,
                                               const std::vector<db::Value>& values) {
  std::vector<SessionRow> rows;
  const absl::Status status = connection.Query(sql, values, [&rows](const db::Row& row) {
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
    if (!id.ok()) return id.status();
    SessionRow& session = rows.emplace_back();
    session.id = *id;
    session.user_id = row.Int(1);
    session.refresh_sha256 = row.String(2);
    session.previous_sha256 = row.String(3);
    session.created_at_us = row.Int(4);
    session.refreshed_at_us = row.Int(5);
    session.expires_at_us = row.Int(6);
    session.ended_at_us = row.Int(7);
    session.address = row.String(8);
    session.user_agent = row.String(9);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rows;
}

}  // namespace

absl::Status InsertSession(db::Connection& connection, const SessionRow& session) {
  return connection
      .Execute(kInsert,
               {session.id.bytes(), session.user_id, std::string_view(session.refresh_sha256),
                std::string_view(session.previous_sha256), session.created_at_us,
                session.refreshed_at_us, session.expires_at_us, std::string_view(session.address),
                std::string_view(session.user_agent)})
      .status();
}

absl::StatusOr<SessionRow> LockSession(db::Connection& connection, const Uuid& id) {
  auto rows = Select(connection, kLock, {id.bytes()});
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return absl::NotFoundError("there is no such session");
  return std::move(rows->front());
}

absl::Status UpdateRefresh(db::Connection& connection, const SessionRow& session) {
  return connection
      .Execute(kUpdateRefresh,
               {std::string_view(session.refresh_sha256), std::string_view(session.previous_sha256),
                session.refreshed_at_us, session.expires_at_us, session.id.bytes()})
      .status();
}

absl::StatusOr<std::vector<SessionRow>> SelectLiveSessions(db::Connection& connection,
                                                           std::int64_t user_id,
                                                           std::int64_t now_us,
                                                           std::int64_t limit) {
  return Select(connection, kSelectLive, {user_id, now_us, limit});
}

absl::StatusOr<std::int64_t> EndSession(db::Connection& connection, const Uuid& id,
                                        std::int64_t now_us, std::int64_t revision) {
  return connection.Execute(kEndOne, {now_us, revision, id.bytes()});
}

absl::StatusOr<std::int64_t> EndSessionsOf(db::Connection& connection, std::int64_t user_id,
                                           const Uuid& but, std::int64_t now_us,
                                           std::int64_t revision) {
  return connection.Execute(kEndOfUser, {now_us, revision, user_id, but.bytes()});
}

absl::StatusOr<std::vector<std::pair<Uuid, std::int64_t>>> SelectEnded(db::Connection& connection,
                                                                       std::int64_t after_revision,
                                                                       std::int64_t after_us) {
  std::vector<std::pair<Uuid, std::int64_t>> ended;
  const absl::Status status =
      connection.Query(kSelectEnded, {after_revision, after_us}, [&ended](const db::Row& row) {
        const absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
        if (!id.ok()) return id.status();
        ended.emplace_back(*id, row.Int(1));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return ended;
}

v1::Session ToProto(const SessionRow& session, const std::string& current_id) {
  v1::Session shown;
  shown.set_id(session.id.ToString());
  shown.set_created_at_us(session.created_at_us);
  shown.set_refreshed_at_us(session.refreshed_at_us);
  shown.set_expires_at_us(session.expires_at_us);
  shown.set_address(session.address);
  shown.set_user_agent(session.user_agent);
  shown.set_current(shown.id() == current_id);
  return shown;
}

}  // namespace postern::identity
