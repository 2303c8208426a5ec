#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "postern/v1/client_service.grpc.pb.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/client_certificate.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/pages.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

struct CreateOptions {
  std::string id;
  std::string domain;
  std::string certificate;
  std::string sha256;
};

struct ListOptions {
  std::int32_t limit = kDefaultPageSize;
  std::string page_token;
  bool all = false;
};

// Such as `100/s burst 200 100000/day`; `default` are the limits of each edge.
std::string LimitsText(const v1::Client& client) {
  if (!client.has_limits()) return "default";
  const v1::ClientLimits& limits = client.limits();
  std::vector<std::string> parts;
  if (limits.messages_per_second() > 0) {
    parts.push_back(StrCat(limits.messages_per_second(), "/s"));
    if (limits.burst() > 0) parts.push_back(StrCat("burst ", limits.burst()));
  }
  if (limits.messages_per_day() > 0) parts.push_back(StrCat(limits.messages_per_day(), "/day"));
  return parts.empty() ? "none" : absl::StrJoin(parts, " ");
}

template <typename Clients>
void PrintClients(Context& context, const Clients& clients, bool with_header) {
  Table table({"ID", "DOMAIN", "STATE", "LIMITS", "CREATED", "CERTIFICATE_SHA256"});
  for (const v1::Client& client : clients) {
    table.Add({client.client_id(), client.domain(), StateText(client.state()), LimitsText(client),
               TimeText(client.created_at_us()), absl::StrJoin(client.certificate_sha256(), ",")});
  }
  table.Print(context.out(), with_header && !context.options().no_headers);
}

absl::StatusOr<std::string> Fingerprint(const CreateOptions& options) {
  if (options.certificate.empty() && options.sha256.empty()) return std::string();
  return options.certificate.empty() ? NormalizeSha256Hex(options.sha256)
                                     : ClientCertificateSha256(options.certificate, options.id);
}

absl::Status Create(Context& context, const CreateOptions& options) {
  const absl::StatusOr<std::string> fingerprint = Fingerprint(options);
  if (!fingerprint.ok()) return fingerprint.status();
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::CreateClientRequest request;
  request.set_client_id(options.id);
  request.set_domain(options.domain);
  request.set_certificate_sha256(*fingerprint);
  v1::CreateClientResponse response;
  const grpc::Status status =
      v1::ClientService::NewStub(*channel)->CreateClient(context.Call().get(), request, &response);
  if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::ALREADY_EXISTS) {
      context.SetFix(
          "Choose another id or certificate; see what is taken: posternctl client list --all");
    }
    return rpc::FromGrpc(status);
  }
  if (context.options().json()) {
    context.out() << ToJson(response.client());
  } else {
    PrintClients(context, std::vector<v1::Client>{response.client()}, true);
  }
  context.err() << "Client " << options.id
                << (fingerprint->empty()
                        ? " is registered; issue its certificate: posternctl cert issue client "
                        : " may send now; edges know it within a second.")
                << (fingerprint->empty() ? options.id : "") << '\n';
  return absl::OkStatus();
}

struct OneOptions {
  std::string id;
  std::string reason;
};

absl::Status Answer(Context& context, const grpc::Status& status, const v1::Client& client) {
  if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      context.SetFix("See which there are: posternctl client list --all");
    }
    return rpc::FromGrpc(status);
  }
  if (context.options().json()) {
    context.out() << ToJson(client);
  } else {
    PrintClients(context, std::vector<v1::Client>{client}, true);
  }
  return absl::OkStatus();
}

absl::Status Show(Context& context, const OneOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::GetClientRequest request;
  request.set_client_id(options.id);
  v1::GetClientResponse response;
  const grpc::Status status =
      v1::ClientService::NewStub(*channel)->GetClient(context.Call().get(), request, &response);
  return Answer(context, status, response.client());
}

absl::Status Suspend(Context& context, const OneOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::SuspendClientRequest request;
  request.set_client_id(options.id);
  request.set_reason(options.reason);
  v1::SuspendClientResponse response;
  const grpc::Status status =
      v1::ClientService::NewStub(*channel)->SuspendClient(context.Call().get(), request, &response);
  absl::Status answered = Answer(context, status, response.client());
  if (answered.ok()) {
    context.err() << "Client " << options.id
                  << " may send no more; edges know it within a second. Undo: posternctl client "
                     "resume "
                  << options.id << "\n";
  }
  return answered;
}

absl::Status Resume(Context& context, const OneOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::ResumeClientRequest request;
  request.set_client_id(options.id);
  request.set_reason(options.reason);
  v1::ResumeClientResponse response;
  const grpc::Status status =
      v1::ClientService::NewStub(*channel)->ResumeClient(context.Call().get(), request, &response);
  return Answer(context, status, response.client());
}

struct LimitOptions {
  std::string id;
  std::string reason;
  std::int32_t per_second = 0;
  std::int32_t burst = 0;
  std::int64_t per_day = 0;
  bool defaults = false;
};

absl::Status Limit(Context& context, const LimitOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::SetClientLimitsRequest request;
  request.set_client_id(options.id);
  request.set_reason(options.reason);
  if (!options.defaults) {
    request.mutable_limits()->set_messages_per_second(options.per_second);
    request.mutable_limits()->set_burst(options.burst);
    request.mutable_limits()->set_messages_per_day(options.per_day);
  }
  v1::SetClientLimitsResponse response;
  const grpc::Status status = v1::ClientService::NewStub(*channel)->SetClientLimits(
      context.Call().get(), request, &response);
  return Answer(context, status, response.client());
}

void AddLimit(CommandTree& tree, Context& context, CLI::App* noun) {
  constexpr std::int64_t kRateMax = 1'000'000;
  constexpr std::int64_t kPerDayMax = 1'000'000'000'000;
  auto set = std::make_shared<LimitOptions>();
  CLI::App* const limit =
      tree.Verb(noun, "limit",
                "Sets how much a client may send; what is not given has no limit. Edges know it "
                "within a second.",
                "limit the client", [&context, set] { return Limit(context, *set); });
  limit->add_option("id", set->id, "Its id")->required();
  CLI::Option_group* const limits = limit->add_option_group("Its limits");
  limits->add_option("--per-second", set->per_second, "Messages a second to each edge, 0: no limit")
      ->check(CLI::Range(std::int64_t{0}, kRateMax))
      ->type_name("N");
  CLI::Option* const burst =
      limits->add_option("--burst", set->burst, "Messages at once after a pause")
          ->check(CLI::Range(std::int64_t{0}, kRateMax))
          ->type_name("N");
  burst->needs("--per-second");
  limits->add_option("--per-day", set->per_day, "Messages a day (UTC) to all edges, 0: no limit")
      ->check(CLI::Range(std::int64_t{0}, kPerDayMax))
      ->type_name("N");
  CLI::Option* const defaults =
      limits->add_flag("--default", set->defaults, "The defaults of each edge again");
  defaults->excludes("--per-second");
  defaults->excludes("--per-day");
  limits->require_option(1, 0);
  limit->add_option("--reason", set->reason, "For the audit log")->type_name("TEXT");
}

absl::Status List(Context& context, const ListOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::ClientService::NewStub(*channel);
  v1::ListClientsRequest request;
  request.set_page_size(options.all ? kPageSizeMax : options.limit);
  request.set_page_token(options.page_token);
  return ListPages<v1::ListClientsResponse>(
      context, std::move(request), options.all, "clients",
      [&](const auto& ask, auto& page) {
        return stub->ListClients(context.Call().get(), ask, &page);
      },
      [](const auto& page) -> const auto& { return page.clients(); },
      [&](const auto& rows, bool first) { PrintClients(context, rows, first); });
}

// A verb on one client, and where its options are kept.
struct OneVerb {
  CLI::App* app;
  std::shared_ptr<OneOptions> options;
};

OneVerb AddOne(CommandTree& tree, Context& context, CLI::App* noun, const char* name,
               const char* description, const char* what,
               absl::Status (*run)(Context&, const OneOptions&)) {
  auto options = std::make_shared<OneOptions>();
  CLI::App* const verb = tree.Verb(noun, name, description, what,
                                   [&context, options, run] { return run(context, *options); });
  verb->add_option("id", options->id, "Its id")->required();
  return {verb, std::move(options)};
}

void AddReason(const OneVerb& verb) {
  verb.app->add_option("--reason", verb.options->reason, "For the audit log")->type_name("TEXT");
}

}  // namespace

void AddClientCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("client", "Clients: who may send messages.");
  auto created = std::make_shared<CreateOptions>();
  CLI::App* const create =
      tree.Verb(noun, "create", "Registers a client and the certificate that it will show.",
                "create the client", [&context, created] { return Create(context, *created); });
  create->add_option("id", created->id, "Its id: 1 to 64 of [a-z0-9._-]; CN of its certificate")
      ->required();
  create->add_option("--domain", created->domain, "The host name of its domain")
      ->required()
      ->type_name("HOST");
  CLI::Option_group* const which =
      create->add_option_group("Its certificate, if it has one already");
  which->add_option("--certificate", created->certificate, "Its certificate, PEM")
      ->type_name("FILE");
  which->add_option("--sha256", created->sha256, "Or the SHA-256 of its certificate in DER")
      ->type_name("HEX");
  which->require_option(0, 1);

  AddOne(tree, context, noun, "show", "Shows a client.", "show the client", Show);
  AddReason(AddOne(tree, context, noun, "suspend",
                   "Takes a client's right to send; its connections are cut within a second.",
                   "suspend the client", Suspend));
  AddReason(AddOne(tree, context, noun, "resume", "Lets a suspended client send again.",
                   "resume the client", Resume));

  AddLimit(tree, context, noun);

  auto listed = std::make_shared<ListOptions>();
  CLI::App* const list = tree.Verb(noun, "list", "Lists clients by id.", "list clients",
                                   [&context, listed] { return List(context, *listed); });
  list->add_option("--limit", listed->limit, "At most so many, 1 to 1000 (50)")
      ->check(CLI::Range(1, kPageSizeMax))
      ->type_name("N");
  list->add_option("--page-token", listed->page_token, "Go on where a page ended")
      ->type_name("TOKEN");
  list->add_flag("--all", listed->all, "Every page");
}

}  // namespace postern::ctl
