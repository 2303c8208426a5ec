#include <string>

#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

absl::Status Ledger(Context& context) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::GetLedgerResponse ledger;
  const grpc::Status status =
      v1::MessageService::NewStub(*channel)->GetLedger(context.Call().get(), {}, &ledger);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(ledger);
    return absl::OkStatus();
  }
  Table table(
      {"ACCEPTED", "DELIVERED", "PENDING", "DEAD", "GAP", "IN_QUEUE", "CLOSED", "MEASURED"});
  table.Add({StrCat(ledger.accepted()), StrCat(ledger.delivered()), StrCat(ledger.pending()),
             StrCat(ledger.dead()), StrCat(ledger.gap()), StrCat(ledger.queued_entries()),
             ledger.closed() ? "yes" : "no", TimeText(ledger.measured_at_us())});
  table.Print(context.out(), !context.options().no_headers);
  return absl::OkStatus();
}

}  // namespace

void AddLedgerCommand(CommandTree& tree, Context& context) {
  tree.Verb(&tree.root(), "ledger",
            "Compares what was accepted with what is delivered, pending and dead.",
            "read the ledger", [&context] { return Ledger(context); });
}

}  // namespace postern::ctl
