#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "postern/v1/dead_letter_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/message_view.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

struct FilterOptions {
  std::string reason;
  std::string client;
  std::vector<std::string> ids;
};

struct ListOptions {
  FilterOptions filter;
  bool messages = false;
  std::int32_t limit = kDefaultPageSize;
  std::string page_token;
};

struct RedriveOptions {
  FilterOptions filter;
  bool all = false;
  bool yes = false;
  bool dry_run = false;  // What is done without --yes anyway.
  std::int32_t rate = kRedriveRateDefault;
};

v1::DeadLetterFilter FilterOf(const FilterOptions& options) {
  v1::DeadLetterFilter filter;
  filter.set_reason(options.reason);
  filter.set_client_id(options.client);
  for (const std::string& id : options.ids) filter.add_ids(id);
  return filter;
}

void PrintGroups(std::ostream& out, const v1::SummarizeDeadLettersResponse& summary,
                 bool with_header) {
  Table table({"REASON", "COUNT", "CLIENTS", "FIRST_ACCEPTED", "LAST_ACCEPTED"});
  for (const v1::DeadLetterGroup& group : summary.groups()) {
    table.Add({group.reason(), StrCat(group.count()), StrCat(group.clients()),
               TimeText(group.first_accepted_at_us()), TimeText(group.last_accepted_at_us())});
  }
  table.Print(out, with_header);
}

absl::StatusOr<v1::SummarizeDeadLettersResponse> Summarize(Context& context,
                                                           const FilterOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::SummarizeDeadLettersRequest request;
  *request.mutable_filter() = FilterOf(options);
  v1::SummarizeDeadLettersResponse response;
  const grpc::Status status = v1::DeadLetterService::NewStub(*channel)->SummarizeDeadLetters(
      context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  return response;
}

absl::Status ListGroups(Context& context, const FilterOptions& options) {
  const auto summary = Summarize(context, options);
  if (!summary.ok()) return summary.status();
  if (context.options().json()) {
    context.out() << ToJson(*summary);
  } else {
    PrintGroups(context.out(), *summary, !context.options().no_headers);
  }
  return absl::OkStatus();
}

absl::Status ListLetters(Context& context, const ListOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::ListMessagesRequest request;
  request.add_states(v1::MESSAGE_STATE_DEAD);
  request.set_reason(options.filter.reason);
  request.set_client_id(options.filter.client);
  request.set_page_size(options.limit);
  request.set_page_token(options.page_token);
  v1::ListMessagesResponse page;
  const grpc::Status status =
      v1::MessageService::NewStub(*channel)->ListMessages(context.Call().get(), request, &page);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    JsonListWriter json(context.out(), "messages");
    for (const v1::Message& message : page.messages()) json.Add(message);
    json.End(page.next_page_token());
    return absl::OkStatus();
  }
  const std::vector<const v1::Message*> messages(page.messages().pointer_begin(),
                                                 page.messages().pointer_end());
  PrintMessages(context.out(), messages, false, !context.options().no_headers);
  if (!page.next_page_token().empty()) {
    context.err() << "There are more: --page-token " << page.next_page_token() << '\n';
  }
  return absl::OkStatus();
}

absl::Status Show(Context& context, const std::string& id) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::GetMessageRequest request;
  request.set_id(id);
  v1::GetMessageResponse response;
  const grpc::Status status =
      v1::MessageService::NewStub(*channel)->GetMessage(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  const v1::Message& message = response.message();
  if (message.state() != v1::MESSAGE_STATE_DEAD) {
    context.SetFix(StrCat("See it with: posternctl message get ", id));
    return absl::NotFoundError(StrCat("it is ", StateText(message.state()), ", not dead"));
  }
  if (context.options().json()) {
    context.out() << ToJson(message);
  } else {
    PrintMessage(context.out(), message);
  }
  return absl::OkStatus();
}

// Calls for half a second's messages each, spaced so that `rate` holds over any longer time.
absl::Status Drive(Context& context, const RedriveOptions& options,
                   v1::RedriveDeadLettersResponse& sum) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::DeadLetterService::NewStub(*channel);
  v1::RedriveDeadLettersRequest request;
  *request.mutable_filter() = FilterOf(options.filter);
  request.set_all(options.all);
  request.set_limit(std::clamp(options.rate / 2, 1, kPageSizeMax));
  auto next = std::chrono::steady_clock::now();
  do {
    std::this_thread::sleep_until(next);
    v1::RedriveDeadLettersResponse part;
    const grpc::Status status = stub->RedriveDeadLetters(context.Call().get(), request, &part);
    if (!status.ok()) return rpc::FromGrpc(status);
    sum.set_redriven(sum.redriven() + part.redriven());
    sum.set_skipped(sum.skipped() + part.skipped());
    next += std::chrono::microseconds(1'000'000 * part.redriven() / options.rate);
    request.set_page_token(part.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

// Without --yes it only counts.
absl::Status Redrive(Context& context, const RedriveOptions& options) {
  const auto summary = Summarize(context, options.filter);
  if (!summary.ok()) return summary.status();
  std::int64_t count = 0;
  for (const v1::DeadLetterGroup& group : summary->groups()) count += group.count();
  if (!options.yes) {
    if (context.options().json()) {
      context.out() << ToJson(*summary);
    } else {
      PrintGroups(context.out(), *summary, !context.options().no_headers);
    }
    context.err() << count
                  << " dead letters would be brought back. Nothing was changed: add --yes to "
                  << "do it.\n";
    return absl::OkStatus();
  }
  context.err() << "Bringing back " << count << " dead letters, " << options.rate
                << " a second at most.\n";
  v1::RedriveDeadLettersResponse sum;
  const absl::Status status = Drive(context, options, sum);
  // What was done before an error is done, too.
  if (context.options().json()) {
    context.out() << ToJson(sum);
  } else {
    Table table({"REDRIVEN", "SKIPPED"});
    table.Add({StrCat(sum.redriven()), StrCat(sum.skipped())});
    table.Print(context.out(), !context.options().no_headers);
  }
  if (sum.skipped() > 0) {
    context.err() << "Skipped ones hold no message that could be delivered; they stay dead.\n";
  }
  return status;
}

void AddFilter(CLI::App* verb, FilterOptions& options, bool with_ids) {
  verb->add_option("--reason", options.reason, "Only with exactly this reason")->type_name("CODE");
  verb->add_option("--client", options.client, "Only this client's")->type_name("ID");
  if (!with_ids) return;
  verb->add_option("--id", options.ids, "Only these messages, at most 1000")
      ->delimiter(',')
      ->expected(1, kPageSizeMax)
      ->type_name("ID[,ID]");
}

void AddList(CommandTree& tree, CLI::App* noun, Context& context) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* const list = tree.Verb(
      noun, "list", "Counts dead letters by reason; with --messages lists them, newest first.",
      "list dead letters", [&context, options] {
        return options->messages ? ListLetters(context, *options)
                                 : ListGroups(context, options->filter);
      });
  AddFilter(list, options->filter, false);
  list->add_flag("--messages", options->messages, "Each message instead of the counts");
  list->add_option("--limit", options->limit, "At most so many messages, 1 to 1000 (50)")
      ->check(CLI::Range(1, kPageSizeMax))
      ->type_name("N");
  list->add_option("--page-token", options->page_token, "Go on where a page ended")
      ->type_name("TOKEN");
}

void AddRedrive(CommandTree& tree, CLI::App* noun, Context& context) {
  auto options = std::make_shared<RedriveOptions>();
  CLI::App* const redrive = tree.Verb(
      noun, "redrive",
      "Brings dead letters back: they are tried again as new ones. Without --yes it only counts.",
      "bring dead letters back", [&context, options]() -> absl::Status {
        const FilterOptions& filter = options->filter;
        const bool any = !filter.reason.empty() || !filter.client.empty() || !filter.ids.empty();
        if (any != options->all) return Redrive(context, *options);
        context.SetFix("Say which: --reason, --client or --id; or --all, alone.");
        return absl::InvalidArgumentError("it is not said which dead letters");
      });
  AddFilter(redrive, options->filter, true);
  redrive->add_flag("--all", options->all, "Every dead letter");
  CLI::Option* const yes = redrive->add_flag("--yes", options->yes, "Do it");
  redrive->add_flag("--dry-run", options->dry_run, "Only count, as without --yes")->excludes(yes);
  redrive->add_option("--rate", options->rate, "At most so many a second (500)")
      ->check(CLI::Range(1, kRedriveRateMax))
      ->type_name("N");
}

}  // namespace

void AddDeadCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun =
      tree.Noun("dead", "Dead letters: messages that were given up, with a reason.");
  AddList(tree, noun, context);
  auto id = std::make_shared<std::string>();
  CLI::App* const show =
      tree.Verb(noun, "show", "Shows one dead letter, why it is dead, and its timeline.",
                "show the dead letter", [&context, id] { return Show(context, *id); });
  show->add_option("id", *id, "The message's id")->required();
  AddRedrive(tree, noun, context);
}

}  // namespace postern::ctl
