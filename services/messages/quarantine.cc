#include "services/messages/quarantine.h"

#include "services/common/base/time.h"
#include "services/common/log/log.h"

namespace postern::messages {
namespace {

constexpr char kInsert[] =
    "INSERT INTO quarantine (id, client_id, reason, found_at_us, found_by) VALUES (?, ?, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE id = id";

}  // namespace

Quarantine::Quarantine(metrics::Registry& metrics)
    : found_(metrics.Counter("postern_messages_quarantined_total",
                             "Stored messages whose ciphertext was found damaged.")) {}

absl::Status Quarantine::Add(db::Connection& connection, const Uuid& id,
                             const std::string& client_id, std::string_view reason,
                             std::string_view found_by) {
  const auto added = connection.Execute(
      kInsert, {id.bytes(), std::string_view(client_id), reason, NowMicros(), found_by});
  if (!added.ok()) return added.status();
  if (*added == 0) return absl::OkStatus();
  found_.Increment();
  log::Error("message_damaged", "id", id.ToString(), "reason", reason, "found_by", found_by);
  return absl::OkStatus();
}

}  // namespace postern::messages
