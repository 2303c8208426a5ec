#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/user_service.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"

// The table `user_sessions`. Each function blocks; errors are those of db::Connection.
namespace postern::identity {

// A row.
struct SessionRow {
  Uuid id;
  std::int64_t user_id = 0;
  std::string refresh_sha256;
  std::string previous_sha256;
  std::int64_t created_at_us = 0;
  std::int64_t refreshed_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::int64_t ended_at_us = 0;  // 0: has not ended.
  std::string address;
  std::string user_agent;
};

absl::Status InsertSession(db::Connection& connection, const SessionRow& session);
// Locked until the transaction ends. NotFound when there is none.
absl::StatusOr<SessionRow> LockSession(db::Connection& connection, const Uuid& id);
absl::Status UpdateRefresh(db::Connection& connection, const SessionRow& session);
// Those that have not ended at `now_us`, the last refreshed first.
absl::StatusOr<std::vector<SessionRow>> SelectLiveSessions(db::Connection& connection,
                                                           std::int64_t user_id,
                                                           std::int64_t now_us, std::int64_t limit);

// Each ends sessions that have not ended; how many. `revision`: as raised in this transaction.
absl::StatusOr<std::int64_t> EndSession(db::Connection& connection, const Uuid& id,
                                        std::int64_t now_us, std::int64_t revision);
// All of the user's; `but` stays (nil: none does).
absl::StatusOr<std::int64_t> EndSessionsOf(db::Connection& connection, std::int64_t user_id,
                                           const Uuid& but, std::int64_t now_us,
                                           std::int64_t revision);

// Ids and times of sessions that were ended after this revision, and after this time.
absl::StatusOr<std::vector<std::pair<Uuid, std::int64_t>>> SelectEnded(db::Connection& connection,
                                                                       std::int64_t after_revision,
                                                                       std::int64_t after_us);

// What a session is shown as.
v1::Session ToProto(const SessionRow& session, const std::string& current_id);

}  // namespace postern::identity
