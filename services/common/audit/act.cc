#include "services/common/audit/act.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "services/common/audit/row.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::audit {
namespace {

constexpr std::size_t kActorMax = 128;
constexpr std::size_t kActionMax = 64;
constexpr std::size_t kTargetMax = 256;
constexpr std::size_t kDetailsMax = 4096;
constexpr int kAttempts = 3;

// Held until the commit: servers append in turn.
constexpr char kLockHead[] = "SELECT sequence, hash FROM audit_head FOR UPDATE";
constexpr char kInsertRow[] =
    "INSERT INTO audit_log (sequence, at_us, actor, action, target, outcome, details, hash) VALUES "
    "(?,?,?,?,?,?,?,?)";
constexpr char kMoveHead[] = "UPDATE audit_head SET sequence = ?, hash = ?";

std::string Printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

// ASCII, whatever the values are.
std::string DetailsJson(const Act& act) {
  return nlohmann::json(act.details)
      .dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
}

absl::Status CheckLength(std::string_view field, const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("audit: ", field, " has ", text.size(), " characters, over ", limit));
}

absl::StatusOr<Row> MakeRow(const Act& act) {
  Row row;
  row.at_us = NowMicros();
  row.actor = Printable(act.actor);
  row.action = Printable(act.action);
  row.target = Printable(act.target);
  row.outcome = static_cast<std::int64_t>(act.outcome);
  row.details = DetailsJson(act);
  absl::Status fits = CheckLength("actor", row.actor, kActorMax);
  if (fits.ok()) fits = CheckLength("action", row.action, kActionMax);
  if (fits.ok()) fits = CheckLength("target", row.target, kTargetMax);
  if (fits.ok()) fits = CheckLength("details", row.details, kDetailsMax);
  if (!fits.ok()) return fits;
  return row;
}

absl::StatusOr<Head> LockHead(db::Connection& connection) {
  Head head;
  const absl::Status status = connection.Query(kLockHead, {}, [&head](const db::Row& row) {
    head.sequence = row.Int(0);
    head.hash = row.String(1);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (head.hash.empty()) return absl::InternalError("the table audit_head is empty");
  return head;
}

}  // namespace

absl::Status Append(db::Connection& connection, const Act& act) {
  absl::StatusOr<Row> row = MakeRow(act);
  if (!row.ok()) return row.status();
  const absl::StatusOr<Head> head = LockHead(connection);
  if (!head.ok()) return head.status();
  row->sequence = head->sequence + 1;
  row->hash = HashOfRow(head->hash, *row);
  const std::vector<db::Value> values = {row->sequence,
                                         row->at_us,
                                         std::string_view(row->actor),
                                         std::string_view(row->action),
                                         std::string_view(row->target),
                                         row->outcome,
                                         std::string_view(row->details),
                                         std::string_view(row->hash)};
  if (auto inserted = connection.Execute(kInsertRow, values); !inserted.ok()) {
    // A row beyond the head: somebody has changed the tables by hand.
    if (inserted.status().code() != absl::StatusCode::kAlreadyExists) return inserted.status();
    return absl::InternalError(
        StrCat("audit_log holds row ", row->sequence, " beyond its head: posternctl audit verify"));
  }
  return connection.Execute(kMoveHead, {row->sequence, std::string_view(row->hash)}).status();
}

absl::Status AppendAlone(db::Connection& connection, const Act& act) {
  for (int attempt = 1;; ++attempt) {
    absl::Status status = connection.Begin();
    if (status.ok()) status = Append(connection, act);
    if (status.ok()) status = connection.Commit();
    if (status.ok()) return status;
    connection.Rollback();
    if (status.code() != absl::StatusCode::kAborted || attempt == kAttempts) return status;
  }
}

}  // namespace postern::audit
