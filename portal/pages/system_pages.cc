#include <nlohmann/json.hpp>

#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"
#include "services/common/base/version.h"

namespace postern::portal {
namespace {

using Audit = v1::AuditService::StubInterface::async_interface;
using Retention = v1::RetentionService::StubInterface::async_interface;
using System = v1::SystemService::StubInterface::async_interface;

View Details(const std::string& json) {
  ViewList members;
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return View(members);
  for (const auto& [name, value] : parsed.items()) {
    View member;
    member["name"] = View(name);
    member["value"] = View(value.is_string() ? value.get<std::string>() : value.dump());
    members.push_back(member);
  }
  return View(members);
}

View AuditRow(const Visit& visit, const v1::AuditRow& row) {
  View view;
  view["sequence"] = View(FormatCount(row.sequence()));
  view["time"] = visit.Time(row.at_us());
  view["actor"] = View(row.actor());
  view["action"] = View(row.action());
  view["target"] = View(row.target());
  view["mark"] = row.outcome() == v1::AUDIT_OUTCOME_REFUSED ? Mark("bad", "ban", "Refused")
                                                            : Mark("good", "check", "Done");
  view["details"] = Details(row.details_json());
  return view;
}

ViewList PartitionRows(const Visit& visit,
                       const google::protobuf::RepeatedPtrField<v1::Partition>& partitions) {
  ViewList rows;
  for (const v1::Partition& partition : partitions) {
    View row;
    row["name"] = View(partition.name());
    row["from"] = visit.Time(partition.from_us());
    row["until"] = visit.Time(partition.until_us());
    row["count"] = View(FormatCount(partition.rows()));
    row["size"] = View(FormatBytes(partition.bytes()));
    rows.push_back(row);
  }
  return rows;
}

void PutRetention(View& view, const Visit& visit, const v1::GetRetentionResponse& retention) {
  constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;
  view["keep"] = View(retention.keep_hours() == 0 ? std::string("for ever")
                                                  : FormatSpan(retention.keep_hours() * kHour));
  view["partition_span"] = View(FormatSpan(retention.partition_hours() * kHour));
  const ViewList partitions = PartitionRows(visit, retention.partitions());
  view["any_partitions"] = View(!partitions.empty());
  view["partitions"] = View(partitions);
  view["rest"] = View(FormatCount(retention.rest_rows()));
  view["to_add"] = View(FormatCount(retention.to_add_size()));
  view["to_drop"] = View(FormatCount(retention.to_drop_size()));
  view["any_to_drop"] = View(retention.to_drop_size() > 0);
  SetText(view, "held_up", retention.held_up());
}

View CheckMark(const v1::ComponentCheck& check) {
  switch (check.state()) {
    case v1::CHECK_STATE_PASS:
      return Mark("good", "check", "Good");
    case v1::CHECK_STATE_WARN:
      return Mark("warn", "alert", "Look at it");
    default:
      return Mark("bad", "cross", "Fails");
  }
}

constexpr std::string_view kPurgeWord = "purge";

Confirmation PurgeQuestion() {
  Confirmation ask;
  ask.title = "Run retention now?";
  ask.text =
      "Partitions that are older than the configured age are dropped with the messages in them, "
      "for good. Messages that are not delivered are never touched.";
  ask.action = "/database/purge";
  ask.back = "/database";
  ask.button = "Run retention";
  ask.typed = std::string(kPurgeWord);
  ask.section = "database";
  return ask;
}

}  // namespace

PageAnswer ShowAudit(Visit& visit) {
  v1::ListAuditRowsRequest ask;
  ask.set_page_size(PageSize(visit));
  ask.set_page_token(std::string(visit.query.Get("page")));
  ask.set_actor(std::string(visit.query.Get("actor")));
  ask.set_action(std::string(visit.query.Get("action")));
  ask.set_target(std::string(visit.query.Get("target")));
  const auto found = co_await visit.Ask(visit.backend().audit->async(), &Audit::ListAuditRows, ask);
  const std::optional<Faults> refused = FaultsOf(found.status(), "actor action target");
  if (!found.ok() && !refused.has_value()) co_return visit.Failure(found.status());
  const Faults faults = refused.value_or(Faults());
  View view = visit.Frame("Audit log", "audit");
  PutField(view, "actor", ask.actor(), faults);
  PutField(view, "action", ask.action(), faults);
  PutField(view, "target", ask.target(), faults);
  view["filtered"] = View(!ask.actor().empty() || !ask.action().empty() || !ask.target().empty());
  ViewList rows;
  PageTokens tokens;
  if (found.ok()) {
    for (const v1::AuditRow& row : found->rows()) rows.push_back(AuditRow(visit, row));
    tokens.next = found->next_page_token();
  }
  view["any"] = View(!rows.empty());
  view["rows"] = View(rows);
  PutPages(view, visit, tokens);
  co_return visit.Page("audit", view, found.ok() ? 200 : 422);
}

PageAnswer ShowDatabase(Visit& visit) {
  const v1::GetDatabaseStatusRequest ask;
  const auto found =
      co_await visit.Ask(visit.backend().system->async(), &System::GetDatabaseStatus, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  const v1::GetRetentionRequest retention_ask;
  const auto retention = co_await visit.Ask(visit.backend().retention->async(),
                                            &Retention::GetRetention, retention_ask);
  if (!retention.ok()) co_return visit.Failure(retention.status());
  View view = visit.Frame("Database", "database");
  view["version"] = View(found->version());
  ViewList tables;
  std::int64_t bytes = 0;
  for (const v1::TableSize& table : found->tables()) {
    bytes += table.data_bytes() + table.index_bytes();
    View row;
    row["name"] = View(table.name());
    row["count"] = View(FormatCount(table.rows()));
    row["data"] = View(FormatBytes(table.data_bytes()));
    row["indexes"] = View(FormatBytes(table.index_bytes()));
    tables.push_back(row);
  }
  view["tables"] = View(tables);
  view["size"] = View(FormatBytes(bytes));
  ViewList migrations;
  for (const v1::Migration& migration : found->migrations()) {
    View row;
    row["version"] = View(std::to_string(migration.version()));
    row["name"] = View(migration.name());
    row["time"] = visit.Time(migration.applied_at_us());
    migrations.push_back(row);
  }
  view["migration_count"] = View(std::to_string(found->migrations_size()));
  view["migrations"] = View(migrations);
  PutRetention(view, visit, *retention);
  co_return visit.Page("database", view);
}

PageAnswer ConfirmPurge(Visit& visit) { co_return ConfirmationPage(visit, PurgeQuestion()); }

PageAnswer Purge(Visit& visit) {
  if (visit.form.Get("confirm") != kPurgeWord) {
    Confirmation question = PurgeQuestion();
    question.faults["confirm"] = StrCat("Type ", kPurgeWord, " to go on.");
    co_return ConfirmationPage(visit, question);
  }
  const v1::RunRetentionRequest ask;
  const auto done =
      co_await visit.Ask(visit.backend().retention->async(), &Retention::RunRetention, ask);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return visit.Redirect("/database?done=purged");
}

PageAnswer ShowSystem(Visit& visit) {
  const v1::GetSystemStatusRequest ask;
  const auto found =
      co_await visit.Ask(visit.backend().system->async(), &System::GetSystemStatus, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  View view = visit.Frame("System", "system");
  view["server"] = View(found->server_name());
  view["version"] = View(found->version());
  view["portal_version"] = View(std::string(Version()));
  view["started"] = visit.Time(found->started_at_us());
  ViewList checks;
  for (const v1::ComponentCheck& check : found->checks()) {
    View row;
    row["name"] = View(check.name());
    row["mark"] = CheckMark(check);
    row["detail"] = View(check.detail());
    checks.push_back(row);
  }
  view["checks"] = View(checks);
  ViewList peers;
  for (const v1::SeenPeer& peer : found->peers()) {
    View row;
    row["role"] = View(peer.role());
    row["name"] = View(peer.name());
    row["seen"] = visit.Time(peer.last_seen_at_us());
    peers.push_back(row);
  }
  view["any_peers"] = View(!peers.empty());
  view["peers"] = View(peers);
  co_return visit.Page("system", view);
}

}  // namespace postern::portal
