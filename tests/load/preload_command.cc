#include "tests/load/preload_command.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_format.h"
#include "services/common/base/time.h"
#include "tests/load/register_settings.h"

namespace postern::load {
namespace {

// Rows of one statement and one transaction.
constexpr std::int64_t kBatch = 20'000;
constexpr std::int64_t kDayMillis = 86'400'000;
constexpr std::int64_t kHourMillis = 3'600'000;

// Rows `first` + 1 to `first` + `count` of `total`, made by the database itself (its sequence
// engine): nothing travels. `seq` counts from 1.
std::string InsertStatement(std::int64_t first, std::int64_t count, std::int64_t total,
                            std::int64_t clients, std::int64_t day_start_ms) {
  return absl::StrFormat(
      "INSERT INTO messages (id, client_id, domain, client_ref, number_hash, number_masked, "
      "data_key_id, encrypted_body, encrypted_number, epoch, attempts, accepted_at_us, "
      "durable_at_us, registered_at_us, delivered_at_us) "
      "SELECT CONCAT(UNHEX(CONCAT(LPAD(HEX(ms), 12, '0'), '7', LPAD(HEX(n MOD 4096), 3, '0'), "
      "'80')), "
      "RANDOM_BYTES(7)), CONCAT('client-', IF(n MOD %1$d < 10, '0', ''), n MOD %1$d), 'localhost', "
      "CONCAT('ref-', n), "
      "RANDOM_BYTES(32), '+1415*****23', REPEAT('k', 16), RANDOM_BYTES(225), RANDOM_BYTES(40), "
      "1, 1, ms * 1000, ms * 1000 + 3000, ms * 1000 + 20000, ms * 1000 + 20000 "
      "FROM (SELECT seq + %2$d AS n, %3$d + (seq + %2$d) * %4$d DIV %5$d AS ms "
      "FROM seq_1_to_%6$d) AS numbers",
      clients, first, day_start_ms, kDayMillis, total, count);
}

absl::Status RaiseLedger(db::Connection& connection, std::int64_t messages) {
  const auto delivered = connection.Execute(
      "INSERT INTO ledger_delivered (server, delivered) VALUES ('preload', ?) "
      "ON DUPLICATE KEY UPDATE delivered = delivered + VALUES(delivered)",
      {messages});
  if (!delivered.ok()) return delivered.status();
  const auto accepted = connection.Execute(
      "INSERT INTO ledger_accepted (shard, base, last_seen, sampled_at_us) VALUES (0, ?, 0, ?) "
      "ON DUPLICATE KEY UPDATE base = base + VALUES(base)",
      {messages, NowMicros()});
  return accepted.status();
}

// The clients that the messages are of, so that users can be linked to them.
constexpr char kAddClients[] =
    "INSERT INTO clients (client_id, domain, state, revision, created_at_us) "
    "SELECT CONCAT('client-', IF(seq < 10, '0', ''), seq), 'localhost', 1, revision, 1 "
    "FROM seq_0_to_999999 JOIN directory_revision WHERE seq < ? "
    "ON DUPLICATE KEY UPDATE domain = VALUES(domain)";
constexpr char kRaiseDirectory[] = "UPDATE directory_revision SET revision = revision + 1";
// What the statistics would have counted.
constexpr char kAddStatistics[] =
    "INSERT INTO statistics (client_id, seconds, start_s, accepted, delivered, dead, "
    "failed_attempts) SELECT client_id, 3600, accepted_at_us DIV 3600000000 * 3600 AS start_s, "
    "COUNT(*), COUNT(*), 0, 0 FROM messages GROUP BY client_id, start_s "
    "ON DUPLICATE KEY UPDATE accepted = VALUES(accepted), delivered = VALUES(delivered)";
constexpr char kAddTotals[] =
    "INSERT INTO statistics (client_id, seconds, start_s, accepted, delivered, dead, "
    "failed_attempts) SELECT '', seconds, start_s, SUM(accepted), SUM(delivered), 0, 0 "
    "FROM statistics WHERE seconds = 3600 AND client_id <> '' GROUP BY seconds, start_s "
    "ON DUPLICATE KEY UPDATE accepted = VALUES(accepted), delivered = VALUES(delivered)";

absl::Status AddClientsAndStatistics(db::Connection& connection, std::int64_t clients) {
  if (auto raised = connection.Execute(kRaiseDirectory); !raised.ok()) return raised.status();
  if (auto added = connection.Execute(kAddClients, {clients}); !added.ok()) return added.status();
  if (auto added = connection.Execute(kAddStatistics); !added.ok()) return added.status();
  return connection.Execute(kAddTotals).status();
}

}  // namespace

absl::Status Preload(db::Connection& connection, std::int64_t messages, std::int64_t clients) {
  const std::int64_t day_start_ms = NowMicros() / 1000 - kHourMillis - kDayMillis;
  for (std::int64_t done = 0; done < messages; done += kBatch) {
    const std::int64_t count = std::min(kBatch, messages - done);
    const absl::Status inserted = connection.ExecuteScriptStatement(
        InsertStatement(done, count, messages, clients, day_start_ms));
    if (!inserted.ok()) return inserted;
  }
  if (absl::Status status = AddClientsAndStatistics(connection, clients); !status.ok()) {
    return status;
  }
  return RaiseLedger(connection, messages);
}

int RunPreload(std::int64_t messages, std::int64_t clients, const std::string& ctl_config) {
  const auto start = std::chrono::steady_clock::now();
  absl::Status status;
  const auto settings = LoadRegisterSettings(ctl_config);
  status.Update(settings.status());
  if (status.ok()) {
    const auto connection = db::Connection::Open(settings->database);
    status.Update(connection.ok() ? Preload(**connection, messages, clients) : connection.status());
  }
  if (!status.ok()) {
    absl::FPrintF(stderr, "postern-load: %s\n", status.ToString());
    return 1;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  absl::PrintF("{\"messages\":%d,\"seconds\":%.1f,\"rows_per_s\":%.0f}\n", messages,
               elapsed.count(), static_cast<double>(messages) / elapsed.count());
  return 0;
}

}  // namespace postern::load
