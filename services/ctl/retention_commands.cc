#include <memory>
#include <string>

#include "postern/v1/retention_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

struct RunOptions {
  bool dry_run = false;
  bool split_large = false;
};

template <typename Partitions>
void AddRows(Table& table, const Partitions& partitions, const char* what) {
  for (const v1::Partition& partition : partitions) {
    table.Add({partition.name(), what, TimeText(partition.from_us()),
               TimeText(partition.until_us()), StrCat(partition.rows()),
               StrCat(partition.bytes())});
  }
}

Table PartitionTable() {
  return Table({"PARTITION", "STATE", "FROM", "UNTIL", "ROWS_ABOUT", "BYTES"});
}

absl::StatusOr<v1::GetRetentionResponse> Fetch(Context& context,
                                               const std::shared_ptr<grpc::Channel>& channel) {
  v1::GetRetentionResponse retention;
  const grpc::Status status =
      v1::RetentionService::NewStub(channel)->GetRetention(context.Call().get(), {}, &retention);
  if (!status.ok()) return rpc::FromGrpc(status);
  return retention;
}

// `whole`: the partitions that stay, too.
absl::Status Show(Context& context, bool whole) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto retention = Fetch(context, *channel);
  if (!retention.ok()) return retention.status();
  if (context.options().json()) {
    context.out() << ToJson(*retention);
    return absl::OkStatus();
  }
  Table table = PartitionTable();
  AddRows(table, retention->to_drop(), "to-drop");
  if (whole) {
    const auto& all = retention->partitions();
    const int dropped = retention->to_drop_size();
    AddRows(table,
            google::protobuf::RepeatedPtrField<v1::Partition>(all.begin() + dropped, all.end()),
            "kept");
    table.Add({"p_rest", "catch-all", "-", "-", StrCat(retention->rest_rows()), "-"});
  }
  AddRows(table, retention->to_add(), "to-add");
  table.Print(context.out(), !context.options().no_headers);
  const std::int64_t keep = retention->keep_hours();
  context.err() << "Delivered messages are kept "
                << (keep == 0 ? std::string("for ever") : StrCat(keep, " hours")) << ".\n";
  if (!retention->held_up().empty()) {
    context.err() << "Held up: " << Printable(retention->held_up()) << '\n';
  }
  return absl::OkStatus();
}

absl::Status Run(Context& context, const RunOptions& options) {
  if (options.dry_run) {
    const absl::Status shown = Show(context, false);
    if (shown.ok()) context.err() << "Nothing was changed.\n";
    return shown;
  }
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::RunRetentionRequest request;
  request.set_split_large(options.split_large);
  v1::RunRetentionResponse response;
  const grpc::Status status = v1::RetentionService::NewStub(*channel)->RunRetention(
      context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    Table table = PartitionTable();
    AddRows(table, response.dropped(), "dropped");
    AddRows(table, response.added(), "added");
    table.Print(context.out(), !context.options().no_headers);
  }
  if (!response.held_up().empty()) {
    context.err() << "Held up: " << Printable(response.held_up()) << '\n';
  } else if (response.more()) {
    context.err() << "There is more to do: the server goes on with it.\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddRetentionCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun =
      tree.Noun("retention", "How long delivered messages are kept, and how their table is cut.");
  tree.Verb(noun, "status", "Shows the partitions of the table and what will happen to them.",
            "read the state of the retention", [&context] { return Show(context, true); });
  auto options = std::make_shared<RunOptions>();
  CLI::App* const run =
      tree.Verb(noun, "run", "Adds and drops partitions now, a few at a time.", "run the retention",
                [&context, options] { return Run(context, *options); });
  run->add_flag("--dry-run", options->dry_run, "Only show what would be added and dropped");
  run->add_flag("--split-large", options->split_large,
                "Cut a catch-all partition with many rows, too; deliveries wait meanwhile");
}

}  // namespace postern::ctl
