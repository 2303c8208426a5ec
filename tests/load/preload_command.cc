#include "tests/load/preload_command.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/statistics/limits.h"
#include "tests/load/preload_message.h"
#include "tests/load/preload_sealer.h"
#include "tests/load/preload_statistics.h"
#include "tests/load/preload_writer.h"
#include "tests/load/register_settings.h"

namespace postern::load {
namespace {

constexpr std::int64_t kHourMicros = 3'600'000'000;
constexpr std::int64_t kDayHours = 24;
// Rows of one statement, and statements of one transaction.
constexpr std::int64_t kStatementRows = 1000;
constexpr std::int64_t kTransactionStatements = 20;
// One thread makes rows while the database stores those of the other.
constexpr std::size_t kThreads = 2;
// Messages of the sample, and undelivered ones that come on top.
constexpr std::int64_t kSample = 6000;
constexpr std::int64_t kSampleUndelivered = 3000;

constexpr char kIsEmpty[] =
    "SELECT (SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = DATABASE()"
    " AND table_name = 'messages') + (SELECT COUNT(*) FROM ledger_delivered)"
    " + (SELECT COUNT(*) FROM pending)";
constexpr char kAddPartition[] = "CALL add_messages_partition(?, ?)";
constexpr char kRaiseDirectory[] = "UPDATE directory_revision SET revision = revision + 1";
// The clients that the messages are of, so that users can be linked to them.
constexpr char kAddClients[] =
    "INSERT INTO clients (client_id, domain, state, revision, created_at_us) "
    "SELECT CONCAT('client-', IF(seq < 10, '0', ''), seq), 'localhost', 1, revision, 1 "
    "FROM seq_0_to_999999 JOIN directory_revision WHERE seq < ? "
    "ON DUPLICATE KEY UPDATE domain = VALUES(domain)";
constexpr char kAddDelivered[] =
    "INSERT INTO ledger_delivered (server, delivered) VALUES ('preload', ?)";
constexpr char kAddAccepted[] =
    "INSERT INTO ledger_accepted (shard, base, last_seen, sampled_at_us) VALUES (0, ?, 0, ?)";
// The keys of the delivered messages, as parts of the statements that drop and add them.
constexpr char kMessagesKeys[] =
    "SELECT GROUP_CONCAT('DROP KEY ', name), GROUP_CONCAT('ADD KEY ', name, ' (', columns, ')') "
    "FROM (SELECT index_name AS name,"
    " GROUP_CONCAT(column_name ORDER BY seq_in_index) AS columns "
    "FROM information_schema.statistics WHERE table_schema = DATABASE()"
    " AND table_name = 'messages' AND index_name <> 'PRIMARY' GROUP BY index_name) AS all_keys";
constexpr char kAlterMessages[] = "ALTER TABLE messages ";
// Sorting the keys of ten million messages takes minutes.
constexpr std::chrono::minutes kStatementLimit{60};
constexpr char kAnalyze[] =
    "ANALYZE TABLE messages, pending, statistics, statistics_latency, clients";

// A share of the messages, laid down by a thread of its own.
struct Part {
  std::int64_t first = 0;
  std::int64_t end = 0;
  std::int64_t delivered = 0;
  std::string sample;
  absl::Status status;
};

void Sample(const PreloadMessage& message, std::int64_t place, std::int64_t total,
            std::string& sample) {
  const bool delivered = message.state == v1::MESSAGE_STATE_DELIVERED;
  const std::int64_t every = delivered
                                 ? std::max<std::int64_t>(1, total / kSample)
                                 : std::max<std::int64_t>(1, total / 1000 / kSampleUndelivered);
  if ((delivered ? place : place / 1000) % every != 0) return;
  nlohmann::json line = {{"id", message.id.ToString()},
                         {"client", message.client_id},
                         {"number", message.number},
                         {"ref", message.client_ref},
                         {"state", v1::MessageState_Name(message.state)},
                         {"accepted_at_us", message.accepted_at_us}};
  StrAppend(&sample, line.dump(), "\n");
}

absl::Status LayDown(const PreloadPlan& plan, const PreloadKeys& keys, db::Connection& connection,
                     Part& part) {
  PreloadMessages messages(plan, static_cast<std::uint64_t>(part.first) + 1);
  PreloadWriter writer(keys);
  PreloadStatistics statistics(plan.end_us / 1'000'000 - statistics::kMinutesKeptSeconds);
  std::int64_t place = part.first;
  while (place < part.end) {
    absl::Status status = connection.Begin();
    for (std::int64_t i = 0; i < kTransactionStatements && status.ok(); ++i) {
      const std::int64_t end = std::min(place + kStatementRows, part.end);
      for (; place < end; ++place) {
        const PreloadMessage message = messages.Make(place);
        writer.Add(message);
        statistics.Count(message);
        Sample(message, place, plan.messages, part.sample);
      }
      status = writer.Write(connection);
    }
    status.Update(statistics.Write(connection));
    if (status.ok()) status = connection.Commit();
    if (!status.ok()) return status;
  }
  part.delivered = writer.delivered();
  return absl::OkStatus();
}

void RunPart(const PreloadPlan& plan, const PreloadKeys& keys, const db::Settings& database,
             Part& part) {
  const db::DriverThread driver_thread;
  const auto connection = db::Connection::Open(database);
  part.status = connection.ok() ? LayDown(plan, keys, **connection, part) : connection.status();
}

absl::Status CheckEmpty(db::Connection& connection) {
  std::int64_t found = 0;
  absl::Status status = connection.Query(kIsEmpty, {}, [&found](const db::Row& row) {
    found = row.Int(0);
    return absl::OkStatus();
  });
  if (!status.ok() || found == 1) return status;  // The catch-all partition alone.
  return absl::FailedPreconditionError(
      "the register is not empty: preload right after `posternctl db migrate`");
}

absl::Status AddPartitions(db::Connection& connection, const PreloadPlan& plan) {
  std::int64_t hour = plan.begin_us / kHourMicros;
  hour -= hour % kDayHours;
  for (; hour * kHourMicros <= NowMicros(); hour += kDayHours) {
    const absl::Status status = connection.Execute(kAddPartition, {hour, kDayHours}).status();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Without its keys a table of messages is only appended to; afterwards they are made by sorting.
// Kept up with each row they cost five times as much. Returns the statement that adds them.
absl::StatusOr<std::string> DropKeys(db::Connection& connection) {
  std::string drop = kAlterMessages;
  std::string add = kAlterMessages;
  absl::Status status = connection.Query(kMessagesKeys, {}, [&](const db::Row& row) {
    drop += row.String(0);
    add += row.String(1);
    return absl::OkStatus();
  });
  if (status.ok()) status = connection.ExecuteScriptStatement(drop);
  if (!status.ok()) return status;
  return add;
}

absl::Status Finish(db::Connection& connection, const PreloadPlan& plan,
                    const std::array<Part, kThreads>& parts) {
  std::int64_t delivered = 0;
  for (const Part& part : parts) delivered += part.delivered;
  absl::Status status = connection.Execute(kRaiseDirectory).status();
  status.Update(connection.Execute(kAddClients, {plan.clients}).status());
  status.Update(connection.Execute(kAddDelivered, {delivered}).status());
  status.Update(connection.Execute(kAddAccepted, {plan.messages, NowMicros()}).status());
  if (!status.ok()) return status;
  return connection.Query(kAnalyze, {}, [](const db::Row&) { return absl::OkStatus(); });
}

absl::Status Preload(const PreloadSettings& settings) {
  auto target = LoadRegisterSettings(settings.ctl_config);
  if (!target.ok()) return target.status();
  target->database.io_timeout = kStatementLimit;
  const auto keys = PreloadKeys::Read(settings.master_key_file, settings.index_key_file);
  if (!keys.ok()) return keys.status();
  const auto connection = db::Connection::Open(target->database);
  if (!connection.ok()) return connection.status();
  PreloadPlan plan;
  plan.messages = settings.messages;
  plan.clients = settings.clients;
  plan.delivered_only = settings.delivered_only;
  plan.end_us = NowMicros() - kHourMicros;
  plan.begin_us = plan.end_us - settings.days * kDayHours * kHourMicros;
  absl::Status status = CheckEmpty(**connection);
  if (status.ok()) status = AddPartitions(**connection, plan);
  if (status.ok()) status = keys->Store(**connection);
  if (!status.ok()) return status;
  const absl::StatusOr<std::string> add_keys = DropKeys(**connection);
  if (!add_keys.ok()) return add_keys.status();
  std::array<Part, kThreads> parts;
  std::array<std::thread, kThreads> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    const auto at = [&](std::size_t share) {
      return settings.messages * static_cast<std::int64_t>(share) /
             static_cast<std::int64_t>(kThreads);
    };
    parts[i].first = at(i);
    parts[i].end = at(i + 1);
    threads[i] = std::thread([&, i] { RunPart(plan, *keys, target->database, parts[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  std::string sample;
  for (const Part& part : parts) {
    status.Update(part.status);
    sample += part.sample;
  }
  status.Update((*connection)->ExecuteScriptStatement(*add_keys));
  if (status.ok()) status = Finish(**connection, plan, parts);
  if (!status.ok() || settings.sample_file.empty()) return status;
  return WriteFileAtomically(settings.sample_file, sample);
}

}  // namespace

int RunPreload(const PreloadSettings& settings) {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = Preload(settings);
  if (!status.ok()) {
    absl::FPrintF(stderr, "postern-load: %s\n", status.ToString());
    return 1;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  absl::PrintF("{\"messages\":%d,\"seconds\":%.1f,\"rows_per_s\":%.0f}\n", settings.messages,
               elapsed.count(), static_cast<double>(settings.messages) / elapsed.count());
  return 0;
}

}  // namespace postern::load
