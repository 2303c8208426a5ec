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
                            std::int64_t day_start_ms) {
  return absl::StrFormat(
      "INSERT INTO messages (id, client_id, domain, client_ref, number_hash, number_masked, "
      "data_key_id, encrypted_body, encrypted_number, epoch, attempts, accepted_at_us, "
      "durable_at_us, registered_at_us, delivered_at_us) "
      "SELECT CONCAT(UNHEX(CONCAT(LPAD(HEX(ms), 12, '0'), '7', LPAD(HEX(n MOD 4096), 3, '0'), "
      "'80')), "
      "RANDOM_BYTES(7)), CONCAT('client-', LPAD(n MOD 50, 2, '0')), 'localhost', NULL, "
      "RANDOM_BYTES(32), '+1415*****23', REPEAT('k', 16), RANDOM_BYTES(225), RANDOM_BYTES(40), "
      "1, 1, ms * 1000, ms * 1000 + 3000, ms * 1000 + 20000, ms * 1000 + 20000 "
      "FROM (SELECT seq + %d AS n, %d + (seq + %d) * %d DIV %d AS ms FROM seq_1_to_%d) AS numbers",
      first, day_start_ms, first, kDayMillis, total, count);
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

}  // namespace

absl::Status Preload(db::Connection& connection, std::int64_t messages) {
  const std::int64_t day_start_ms = NowMicros() / 1000 - kHourMillis - kDayMillis;
  for (std::int64_t done = 0; done < messages; done += kBatch) {
    const std::int64_t count = std::min(kBatch, messages - done);
    const absl::Status inserted =
        connection.ExecuteScriptStatement(InsertStatement(done, count, messages, day_start_ms));
    if (!inserted.ok()) return inserted;
  }
  return RaiseLedger(connection, messages);
}

int RunPreload(std::int64_t messages, const std::string& ctl_config) {
  const auto start = std::chrono::steady_clock::now();
  absl::Status status;
  const auto settings = LoadRegisterSettings(ctl_config);
  status.Update(settings.status());
  if (status.ok()) {
    const auto connection = db::Connection::Open(settings->database);
    status.Update(connection.ok() ? Preload(**connection, messages) : connection.status());
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
