#include <algorithm>
#include <memory>
#include <string>

#include "postern/v1/queue_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

void PrintStatus(Context& context, const v1::GetQueueStatusResponse& status) {
  Table table({"SHARD", "ENTRIES", "UNREAD", "HELD", "CONSUMERS", "GROUP", "OLDEST"});
  std::int64_t entries = 0;
  for (const v1::QueueShard& shard : status.shards()) {
    entries += shard.entries();
    table.Add({StrCat(shard.shard()), StrCat(shard.entries()), StrCat(shard.unread()),
               StrCat(shard.held()), StrCat(shard.consumers()), shard.has_group() ? "yes" : "no",
               TimeText(shard.oldest_entry_at_us())});
  }
  table.Print(context.out(), !context.options().no_headers);
  context.err() << entries << " entries; "
                << (status.reconciler().empty() ? std::string("no server reconciles now")
                                                : StrCat(status.reconciler(), " reconciles"))
                << '\n';
  for (const std::string& fault : status.unsafe_settings()) {
    context.err() << context.Paint("unsafe: ", Context::Colour::kRed) << Printable(fault) << '\n';
  }
}

absl::Status Status(Context& context) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::GetQueueStatusResponse response;
  const grpc::Status status =
      v1::QueueService::NewStub(*channel)->GetQueueStatus(context.Call().get(), {}, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    PrintStatus(context, response);
  }
  return absl::OkStatus();
}

void Add(const v1::ReconcileQueueResponse& part, v1::ReconcileQueueResponse& sum) {
  sum.set_looked_at(sum.looked_at() + part.looked_at());
  sum.set_requeued(sum.requeued() + part.requeued());
  sum.set_removed(sum.removed() + part.removed());
  sum.set_quarantined(sum.quarantined() + part.quarantined());
  sum.set_unheld(sum.unheld() + part.unheld());
}

absl::Status Reconcile(Context& context, bool dry_run) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::QueueService::NewStub(*channel);
  v1::ReconcileQueueRequest request;
  request.set_dry_run(dry_run);
  v1::ReconcileQueueResponse sum;
  do {
    v1::ReconcileQueueResponse part;
    const grpc::Status status = stub->ReconcileQueue(context.Call().get(), request, &part);
    if (!status.ok()) return rpc::FromGrpc(status);
    Add(part, sum);
    request.set_page_token(part.next_page_token());
  } while (!request.page_token().empty());
  if (context.options().json()) {
    context.out() << ToJson(sum);
    return absl::OkStatus();
  }
  Table table({"LOOKED_AT", "REQUEUED", "UNHELD", "REMOVED", "QUARANTINED"});
  table.Add({StrCat(sum.looked_at()), StrCat(sum.requeued()), StrCat(sum.unheld()),
             StrCat(sum.removed()), StrCat(sum.quarantined())});
  table.Print(context.out(), !context.options().no_headers);
  if (dry_run) context.err() << "Nothing was changed: that is what a run without --dry-run does.\n";
  return absl::OkStatus();
}

}  // namespace

void AddQueueCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("queue", "The queue in Redis.");
  tree.Verb(noun, "status",
            "Shows what lies in each shard, who reconciles, and settings that can lose messages.",
            "read the queue", [&context] { return Status(context); });
  auto dry_run = std::make_shared<bool>(false);
  CLI::App* const reconcile = tree.Verb(
      noun, "reconcile",
      "Compares the register with the queue now: puts back what the queue lost, gives back what "
      "nobody holds. The servers do the same by themselves every few seconds.",
      "reconcile the queue", [&context, dry_run] { return Reconcile(context, *dry_run); });
  reconcile->add_flag("--dry-run", *dry_run, "Only tell what it would do");
}

}  // namespace postern::ctl
