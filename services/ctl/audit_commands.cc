#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "postern/v1/audit_service.grpc.pb.h"
#include "services/common/audit/chain_check.h"
#include "services/common/audit/checkpoint.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/pages.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

struct ListOptions {
  std::string actor;
  std::string action;
  std::string target;
  std::int32_t limit = kDefaultPageSize;
  std::string page_token;
  bool all = false;
};

struct VerifyOptions {
  std::vector<std::string> checkpoints;
  std::vector<std::string> public_keys;
};

template <typename Rows>
void PrintRows(Context& context, const Rows& rows, bool first) {
  Table table({"ROW", "TIME", "ACTOR", "ACTION", "TARGET", "OUTCOME", "DETAILS"});
  for (const v1::AuditRow& row : rows) {
    table.Add({StrCat(row.sequence()), TimeText(row.at_us()), row.actor(), row.action(),
               row.target(), OutcomeText(row.outcome()), row.details_json()});
  }
  table.Print(context.out(), first && !context.options().no_headers);
}

absl::Status List(Context& context, const ListOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::AuditService::NewStub(*channel);
  v1::ListAuditRowsRequest request;
  request.set_actor(options.actor);
  request.set_action(options.action);
  request.set_target(options.target);
  request.set_page_size(options.all ? kPageSizeMax : options.limit);
  request.set_page_token(options.page_token);
  return ListPages<v1::ListAuditRowsResponse>(
      context, std::move(request), options.all, "rows",
      [&](const auto& ask, auto& page) {
        return stub->ListAuditRows(context.Call().get(), ask, &page);
      },
      [](const auto& page) -> const auto& { return page.rows(); },
      [&](const auto& rows, bool first) { PrintRows(context, rows, first); });
}

absl::Status At(const std::string& path, const absl::Status& status) {
  return absl::InvalidArgumentError(StrCat(path, ": ", ToStd(status.message())));
}

absl::StatusOr<std::vector<audit::Checkpoint>> ReadCheckpoints(const VerifyOptions& options) {
  audit::CheckpointReader reader;
  for (const std::string& path : options.public_keys) {
    const auto pem = ReadFile(path);
    if (!pem.ok()) return pem.status();
    if (absl::Status s = reader.AddKey(*pem); !s.ok()) return At(path, s);
  }
  std::vector<audit::Checkpoint> all;
  for (const std::string& path : options.checkpoints) {
    const auto content = ReadFile(path);
    if (!content.ok()) return content.status();
    auto read = reader.Read(*content);
    if (!read.ok()) return At(path, read.status());
    for (audit::Checkpoint& checkpoint : *read) all.push_back(std::move(checkpoint));
  }
  return all;
}

audit::Row RowOf(const v1::AuditRow& from) {
  audit::Row row;
  row.sequence = from.sequence();
  row.at_us = from.at_us();
  row.actor = from.actor();
  row.action = from.action();
  row.target = from.target();
  row.outcome = from.outcome();
  row.details = from.details_json();
  row.hash = from.hash();
  return row;
}

// Reads the whole log, page by page, into `check`.
absl::Status FeedAll(Context& context, audit::ChainCheck& check) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::AuditService::NewStub(*channel);
  v1::ReadAuditChainRequest request;
  request.set_page_size(kPageSizeMax);
  while (true) {
    v1::ReadAuditChainResponse page;
    const grpc::Status status = stub->ReadAuditChain(context.Call().get(), request, &page);
    if (!status.ok()) return rpc::FromGrpc(status);
    for (const v1::AuditRow& row : page.rows()) {
      if (!check.Feed(RowOf(row))) return absl::OkStatus();
    }
    if (page.rows_size() < kPageSizeMax) {
      check.End({page.head_sequence(), page.head_hash()});
      return absl::OkStatus();
    }
    request.set_after_sequence(page.rows().rbegin()->sequence());
  }
}

void PrintResult(Context& context, const audit::ChainCheck& check) {
  const audit::Fault fault = check.fault().value_or(audit::Fault());
  if (context.options().json()) {
    nlohmann::json json = {{"intact", !check.fault()},
                           {"sound_rows", check.rows()},
                           {"checkpoints_met", check.checkpoints_met()}};
    if (check.fault()) {
      json["first_broken_row"] = fault.first;
      json["last_broken_row"] = fault.last;
      json["fault"] = fault.what;
    }
    context.out() << json.dump(2) << '\n';
    return;
  }
  Table table({"INTACT", "SOUND_ROWS", "CHECKPOINTS_MET", "FIRST_BROKEN_ROW"});
  table.Add({check.fault() ? "no" : "yes", StrCat(check.rows()), StrCat(check.checkpoints_met()),
             check.fault() ? StrCat(fault.first) : "-"});
  table.Print(context.out(), !context.options().no_headers);
}

absl::Status Verify(Context& context, const VerifyOptions& options) {
  auto checkpoints = ReadCheckpoints(options);
  if (!checkpoints.ok()) return checkpoints.status();
  if (checkpoints->empty()) {
    context.err()
        << "Compared with no checkpoint: a tail that was cut off with the head of the log "
           "cannot be seen. Give --checkpoints and --public-key.\n";
  }
  audit::ChainCheck check(*std::move(checkpoints));
  if (absl::Status read = FeedAll(context, check); !read.ok()) return read;
  PrintResult(context, check);
  if (!check.fault()) return absl::OkStatus();
  const audit::Fault& fault = *check.fault();
  context.SetFix(
      "Find out who had access to the database, and compare with a backup: docs/audit.md.");
  return absl::DataLossError(
      fault.last > fault.first ? StrCat("rows ", fault.first, " to ", fault.last, ": ", fault.what)
                               : StrCat("row ", fault.first, ": ", fault.what));
}

}  // namespace

void AddAuditCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("audit", "The audit log: who did what.");
  auto listed = std::make_shared<ListOptions>();
  CLI::App* const list = tree.Verb(noun, "list", "Lists acts, newest first.", "list the audit log",
                                   [&context, listed] { return List(context, *listed); });
  list->add_option("--actor", listed->actor, "Only of this actor, such as operator/alice")
      ->type_name("ACTOR");
  list->add_option("--action", listed->action, "Only this kind of act, such as client.create")
      ->type_name("ACTION");
  list->add_option("--target", listed->target, "Only on this, such as client/acme")
      ->type_name("TARGET");
  list->add_option("--limit", listed->limit, "At most so many, 1 to 1000 (50)")
      ->check(CLI::Range(1, kPageSizeMax))
      ->type_name("N");
  list->add_option("--page-token", listed->page_token, "Go on where a page ended")
      ->type_name("TOKEN");
  list->add_flag("--all", listed->all, "Every page");

  auto verified = std::make_shared<VerifyOptions>();
  CLI::App* const verify = tree.Verb(
      noun, "verify", "Recomputes the chain and names the first row that is not what was written.",
      "trust the audit log", [&context, verified] { return Verify(context, *verified); });
  CLI::Option* const files = verify
                                 ->add_option("--checkpoints", verified->checkpoints,
                                              "A server's checkpoints.jsonl; once for each server")
                                 ->type_name("FILE");
  verify
      ->add_option("--public-key", verified->public_keys,
                   "A server's checkpoint.pub; once for each server")
      ->type_name("FILE")
      ->needs(files);
}

}  // namespace postern::ctl
