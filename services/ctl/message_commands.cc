#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/message_view.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

const std::map<std::string, v1::MessageState>& States() {
  static const std::map<std::string, v1::MessageState> states = {
      {"queued", v1::MESSAGE_STATE_QUEUED},
      {"retrying", v1::MESSAGE_STATE_RETRYING},
      {"delivered", v1::MESSAGE_STATE_DELIVERED},
      {"dead", v1::MESSAGE_STATE_DEAD}};
  return states;
}

struct GetOptions {
  std::string id;
  bool full = false;
};

struct ListOptions {
  std::vector<std::string> states;
  std::string client;
  std::string client_ref;
  std::string number;
  std::string from;
  std::string until;
  std::int32_t limit = kDefaultPageSize;
  std::string page_token;
  bool all = false;
  bool full = false;
};

v1::MessageView View(bool full) { return full ? v1::MESSAGE_VIEW_FULL : v1::MESSAGE_VIEW_BASIC; }

absl::Status Get(Context& context, const GetOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::GetMessageRequest request;
  request.set_id(options.id);
  request.set_view(View(options.full));
  v1::GetMessageResponse response;
  const grpc::Status status =
      v1::MessageService::NewStub(*channel)->GetMessage(context.Call().get(), request, &response);
  if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      context.SetFix(
          "See what there is: posternctl message list. A message accepted a moment ago "
          "may not be registered yet.");
    }
    return rpc::FromGrpc(status);
  }
  if (context.options().json()) {
    context.out() << ToJson(response.message());
  } else {
    PrintMessage(context.out(), response.message());
  }
  return absl::OkStatus();
}

v1::ListMessagesRequest ListRequest(const ListOptions& options) {
  v1::ListMessagesRequest request;
  for (const std::string& state : options.states) request.add_states(States().at(state));
  request.set_client_id(options.client);
  request.set_client_ref(options.client_ref);
  request.set_sender_number(options.number);
  // The options' checks have parsed them once.
  if (!options.from.empty()) request.set_accepted_from_us(*ParseRfc3339(options.from));
  if (!options.until.empty()) request.set_accepted_until_us(*ParseRfc3339(options.until));
  request.set_page_size(options.all ? kPageSizeMax : options.limit);
  request.set_page_token(options.page_token);
  request.set_view(View(options.full));
  return request;
}

// Prints pages as they come: in a long list the first lines are there before the last are read.
class ListPrinter {
 public:
  ListPrinter(Context& context, bool full) : context_(context), full_(full) {
    if (context.options().json()) json_.emplace(context.out(), "messages");
  }
  void Page(const v1::ListMessagesResponse& page) {
    if (json_) {
      for (const v1::Message& message : page.messages()) json_->Add(message);
      return;
    }
    std::vector<const v1::Message*> messages(page.messages().pointer_begin(),
                                             page.messages().pointer_end());
    PrintMessages(context_.out(), messages, full_, first_ && !context_.options().no_headers);
    first_ = false;
  }
  void End(const std::string& next_page_token) {
    if (json_) {
      json_->End(next_page_token);
    } else if (!next_page_token.empty()) {
      context_.err() << "There are more: --page-token " << next_page_token << " (or --all)\n";
    }
  }

 private:
  Context& context_;
  const bool full_;
  bool first_ = true;
  std::optional<JsonListWriter> json_;
};

absl::Status List(Context& context, const ListOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::MessageService::NewStub(*channel);
  v1::ListMessagesRequest request = ListRequest(options);
  std::optional<ListPrinter> printer;
  for (;;) {
    v1::ListMessagesResponse page;
    const grpc::Status status = stub->ListMessages(context.Call().get(), request, &page);
    if (!status.ok()) return rpc::FromGrpc(status);
    // Only now, so that an error leaves no half JSON document.
    if (!printer) printer.emplace(context, options.full);
    printer->Page(page);
    request.set_page_token(page.next_page_token());
    if (!options.all || page.next_page_token().empty()) break;
  }
  printer->End(request.page_token());
  return absl::OkStatus();
}

struct TailOptions {
  std::string client;
  std::int32_t count = 0;
};

// The id of the newest message; empty when there is none.
absl::StatusOr<std::string> NewestId(Context& context, v1::MessageService::Stub& stub,
                                     const std::string& client) {
  v1::ListMessagesRequest request;
  request.set_client_id(client);
  request.set_page_size(1);
  v1::ListMessagesResponse page;
  const grpc::Status status = stub.ListMessages(context.Call().get(), request, &page);
  if (!status.ok()) return rpc::FromGrpc(status);
  return page.messages().empty() ? std::string() : page.messages(0).id();
}

// Shows messages as they come, the oldest first, until it is ended.
absl::Status Tail(Context& context, const TailOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::MessageService::NewStub(*channel);
  auto last = NewestId(context, *stub, options.client);
  if (!last.ok()) return last.status();
  // Before the first of all: the smallest id.
  if (last->empty()) *last = Uuid().ToString();
  bool first = true;
  for (std::int32_t shown = 0; options.count == 0 || shown < options.count;) {
    v1::ListMessagesRequest request;
    request.set_client_id(options.client);
    request.set_page_size(options.count == 0 ? kPageSizeMax
                                             : std::min(kPageSizeMax, options.count - shown));
    request.set_newer_than_id(*last);
    v1::ListMessagesResponse page;
    const grpc::Status status = stub->ListMessages(context.Call().get(), request, &page);
    if (!status.ok()) return rpc::FromGrpc(status);
    if (page.messages().empty()) {
      std::this_thread::sleep_for(kTailInterval);
      continue;
    }
    *last = page.messages(0).id();
    shown += page.messages_size();
    std::vector<const v1::Message*> messages(page.messages().pointer_begin(),
                                             page.messages().pointer_end());
    std::reverse(messages.begin(), messages.end());
    if (context.options().json()) {
      for (const v1::Message* message : messages) context.out() << ToJson(*message);
    } else {
      PrintMessages(context.out(), messages, false, first && !context.options().no_headers);
    }
    context.out() << std::flush;
    first = false;
  }
  return absl::OkStatus();
}

struct VerifyOptions {
  std::string from;
  std::string until;
};

absl::Status Verify(Context& context, const VerifyOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::MessageService::NewStub(*channel);
  v1::VerifyMessagesRequest request;
  if (!options.from.empty()) request.set_accepted_from_us(*ParseRfc3339(options.from));
  if (!options.until.empty()) request.set_accepted_until_us(*ParseRfc3339(options.until));
  v1::VerifyMessagesResponse all;
  do {
    v1::VerifyMessagesResponse page;
    const grpc::Status status = stub->VerifyMessages(context.Call().get(), request, &page);
    if (!status.ok()) return rpc::FromGrpc(status);
    request.set_page_token(page.next_page_token());
    all.set_checked(all.checked() + page.checked());
    all.set_key_unknown(all.key_unknown() + page.key_unknown());
    all.mutable_damaged()->MergeFrom(page.damaged());
  } while (!request.page_token().empty());
  if (context.options().json()) {
    context.out() << ToJson(all);
  } else {
    Table table({"ID", "CLIENT", "ACCEPTED", "REASON"});
    for (const v1::DamagedMessage& damaged : all.damaged()) {
      table.Add({damaged.id(), damaged.client_id(), TimeText(damaged.accepted_at_us()),
                 damaged.reason()});
    }
    table.Print(context.out(), !context.options().no_headers);
  }
  context.err() << "Opened " << all.checked() << " messages: " << all.damaged_size() << " damaged, "
                << all.key_unknown() << " without a usable key.\n";
  if (all.damaged_size() + all.key_unknown() == 0) return absl::OkStatus();
  context.SetFix(
      "Damaged messages stay in quarantine: restore their rows from a backup. For keys "
      "see: posternctl key status");
  return absl::DataLossError("not every message opens");
}

CLI::Validator Rfc3339() {
  return CLI::Validator(
      [](std::string& text) {
        const auto micros = ParseRfc3339(text);
        return micros.ok() ? std::string() : std::string(ToStd(micros.status().message()));
      },
      "TIME");
}

void AddList(CommandTree& tree, CLI::App* noun, Context& context) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* const list = tree.Verb(noun, "list", "Lists messages, newest first.", "list messages",
                                   [&context, options] { return List(context, *options); });
  std::vector<std::string> names;
  for (const auto& [name, state] : States()) names.push_back(name);
  list->add_option("--state", options->states, "Only these: queued, retrying, delivered, dead")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->type_name("STATE[,STATE]");
  list->add_option("--client", options->client, "Only this client's")->type_name("ID");
  list->add_option("--client-ref", options->client_ref, "Only with exactly this reference")
      ->type_name("TEXT");
  list->add_option("--number", options->number,
                   "Only with exactly this number, such as +14155550123")
      ->type_name("E.164");
  list->add_option("--from", options->from, "Accepted at or after, such as 2026-11-22T03:00:00Z")
      ->check(Rfc3339());
  list->add_option("--until", options->until, "Accepted before")->check(Rfc3339());
  list->add_option("--limit", options->limit, "At most so many, 1 to 1000 (50)")
      ->check(CLI::Range(1, kPageSizeMax))
      ->type_name("N");
  list->add_option("--page-token", options->page_token, "Go on where a page ended")
      ->type_name("TOKEN");
  list->add_flag("--all", options->all, "Every page");
  list->add_flag("--full", options->full, "With decrypted bodies and numbers");
}

}  // namespace

void AddMessageCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("message", "Messages, delivered and not.");
  auto options = std::make_shared<GetOptions>();
  CLI::App* const get =
      tree.Verb(noun, "get", "Shows one message and its timeline.", "get the message",
                [&context, options] { return Get(context, *options); });
  get->add_option("id", options->id, "Its id, as the 202 answer gave it")->required();
  get->add_flag("--full", options->full, "With decrypted body and number");
  AddList(tree, noun, context);
  auto tailed = std::make_shared<TailOptions>();
  CLI::App* const tail =
      tree.Verb(noun, "tail", "Shows messages as they are registered, until it is ended.",
                "follow the messages", [&context, tailed] { return Tail(context, *tailed); });
  tail->add_option("--client", tailed->client, "Only this client's")->type_name("ID");
  tail->add_option("--count", tailed->count, "End after so many (0: go on)")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N");
  auto verified = std::make_shared<VerifyOptions>();
  CLI::App* const verify = tree.Verb(
      noun, "verify", "Opens every stored message and names those that were tampered with.",
      "verify the messages", [&context, verified] { return Verify(context, *verified); });
  verify->add_option("--from", verified->from, "Accepted at or after")->check(Rfc3339());
  verify->add_option("--until", verified->until, "Accepted before")->check(Rfc3339());
}

}  // namespace postern::ctl
