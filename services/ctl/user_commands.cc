#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "postern/v1/user_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/pages.h"
#include "services/ctl/password_input.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

const std::map<std::string, v1::UserRole>& Roles() {
  static const std::map<std::string, v1::UserRole> roles = {{"user", v1::USER_ROLE_USER},
                                                            {"admin", v1::USER_ROLE_ADMIN}};
  return roles;
}

struct CreateOptions {
  std::string email;
  std::string name;
  std::string role;
  std::vector<std::string> clients;
};

struct ListOptions {
  std::string role;
  std::string client;
  bool disabled = false;
  std::int32_t limit = kDefaultPageSize;
  std::string page_token;
  bool all = false;
};

struct OneOptions {
  std::string email;
  std::string value;  // The role, the client or the reason.
  bool remove = false;
  bool ask = false;
};

template <typename Users>
void PrintUsers(Context& context, const Users& users, bool with_header) {
  Table table({"ID", "EMAIL", "NAME", "ROLE", "STATE", "LAST_LOGIN", "CLIENTS"});
  for (const v1::User& user : users) {
    table.Add({StrCat(user.id()), user.email(), user.name(), StateText(user.role()),
               StateText(user.state()), TimeText(user.last_login_at_us()),
               OrDash(absl::StrJoin(user.client_ids(), ","))});
  }
  table.Print(context.out(), with_header && !context.options().no_headers);
}

void SetKey(v1::UserKey& key, const std::string& email) { key.set_email(email); }

absl::Status FromServer(Context& context, const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
    context.SetFix("See which there are: posternctl user list --all; posternctl client list --all");
  }
  return rpc::FromGrpc(status);
}

template <typename Response>
absl::Status AnswerUser(Context& context, const grpc::Status& status, const Response& response) {
  if (!status.ok()) return FromServer(context, status);
  if (context.options().json()) {
    context.out() << ToJson(response.user());
  } else {
    PrintUsers(context, std::vector<v1::User>{response.user()}, true);
  }
  return absl::OkStatus();
}

// The password is data: it goes to stdout, so that a script can hand it on.
template <typename Response>
void PrintPassword(Context& context, const Response& response) {
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    Table table({"EMAIL", "ROLE", "ONE_TIME_PASSWORD"});
    table.Add(
        {response.user().email(), StateText(response.user().role()), response.one_time_password()});
    table.Print(context.out(), !context.options().no_headers);
  }
  context.err() << "The password exists nowhere else. It has to be changed at the first login, "
                   "within 72 hours.\n";
}

absl::Status Create(Context& context, const CreateOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::CreateUserRequest request;
  request.set_email(options.email);
  request.set_name(options.name.empty() ? options.email : options.name);
  request.set_role(Roles().at(options.role));
  for (const std::string& client : options.clients) request.add_client_ids(client);
  v1::CreateUserResponse response;
  const grpc::Status status =
      v1::UserService::NewStub(*channel)->CreateUser(context.Call().get(), request, &response);
  if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::ALREADY_EXISTS) {
      context.SetFix("Give that user a new password: posternctl user password " + options.email);
      return rpc::FromGrpc(status);
    }
    return FromServer(context, status);
  }
  PrintPassword(context, response);
  return absl::OkStatus();
}

absl::Status Show(Context& context, const OneOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::GetUserRequest request;
  SetKey(*request.mutable_user(), options.email);
  v1::GetUserResponse response;
  const grpc::Status status =
      v1::UserService::NewStub(*channel)->GetUser(context.Call().get(), request, &response);
  if (!status.ok()) return FromServer(context, status);
  if (context.options().json()) {
    context.out() << ToJson(response);
    return absl::OkStatus();
  }
  PrintUsers(context, std::vector<v1::User>{response.user()}, true);
  Table sessions({"SESSION", "SINCE", "REFRESHED", "ADDRESS"});
  for (const v1::Session& session : response.sessions()) {
    sessions.Add({session.id(), TimeText(session.created_at_us()),
                  TimeText(session.refreshed_at_us()), OrDash(session.address())});
  }
  context.out() << '\n';
  sessions.Print(context.out(), !context.options().no_headers);
  Table logins({"LOGIN", "RESULT", "ADDRESS"});
  for (const v1::LoginRecord& login : response.logins()) {
    logins.Add({TimeText(login.at_us()), login.succeeded() ? "let in" : "refused",
                OrDash(login.address())});
  }
  context.out() << '\n';
  logins.Print(context.out(), !context.options().no_headers);
  return absl::OkStatus();
}

absl::Status SetState(Context& context, const OneOptions& options, v1::UserState state) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::SetUserStateRequest request;
  SetKey(*request.mutable_user(), options.email);
  request.set_state(state);
  request.set_reason(options.value);
  v1::SetUserStateResponse response;
  const grpc::Status status =
      v1::UserService::NewStub(*channel)->SetUserState(context.Call().get(), request, &response);
  return AnswerUser(context, status, response);
}

absl::Status Disable(Context& context, const OneOptions& options) {
  return SetState(context, options, v1::USER_STATE_DISABLED);
}

absl::Status Enable(Context& context, const OneOptions& options) {
  return SetState(context, options, v1::USER_STATE_ACTIVE);
}

absl::Status SetRole(Context& context, const OneOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::SetUserRoleRequest request;
  SetKey(*request.mutable_user(), options.email);
  request.set_role(Roles().at(options.value));
  v1::SetUserRoleResponse response;
  const grpc::Status status =
      v1::UserService::NewStub(*channel)->SetUserRole(context.Call().get(), request, &response);
  return AnswerUser(context, status, response);
}

absl::Status ResetPassword(Context& context, const OneOptions& options) {
  v1::ResetPasswordRequest request;
  SetKey(*request.mutable_user(), options.email);
  if (options.ask) {
    auto password = ReadPassword(context.err());
    if (!password.ok()) return password.status();
    request.set_new_password(*std::move(password));
  }
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  v1::ResetPasswordResponse response;
  const grpc::Status status =
      v1::UserService::NewStub(*channel)->ResetPassword(context.Call().get(), request, &response);
  if (!status.ok()) return FromServer(context, status);
  if (options.ask) return AnswerUser(context, status, response);
  PrintPassword(context, response);
  return absl::OkStatus();
}

absl::Status Link(Context& context, const OneOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::UserService::NewStub(*channel);
  if (options.remove) {
    v1::UnlinkClientRequest request;
    SetKey(*request.mutable_user(), options.email);
    request.set_client_id(options.value);
    v1::UnlinkClientResponse response;
    const grpc::Status status = stub->UnlinkClient(context.Call().get(), request, &response);
    return AnswerUser(context, status, response);
  }
  v1::LinkClientRequest request;
  SetKey(*request.mutable_user(), options.email);
  request.set_client_id(options.value);
  v1::LinkClientResponse response;
  const grpc::Status status = stub->LinkClient(context.Call().get(), request, &response);
  return AnswerUser(context, status, response);
}

absl::Status List(Context& context, const ListOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::UserService::NewStub(*channel);
  v1::ListUsersRequest request;
  request.set_page_size(options.all ? kPageSizeMax : options.limit);
  request.set_page_token(options.page_token);
  if (!options.role.empty()) request.set_role(Roles().at(options.role));
  if (options.disabled) request.set_state(v1::USER_STATE_DISABLED);
  request.set_client_id(options.client);
  return ListPages<v1::ListUsersResponse>(
      context, std::move(request), options.all, "users",
      [&](const auto& ask, auto& page) {
        return stub->ListUsers(context.Call().get(), ask, &page);
      },
      [](const auto& page) -> const auto& { return page.users(); },
      [&](const auto& rows, bool first) { PrintUsers(context, rows, first); });
}

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
  verb->add_option("email", options->email, "The user's e-mail")->required();
  return {verb, std::move(options)};
}

void AddList(CommandTree& tree, CLI::App* noun, Context& context) {
  auto listed = std::make_shared<ListOptions>();
  CLI::App* const list = tree.Verb(noun, "list", "Lists users by e-mail.", "list users",
                                   [&context, listed] { return List(context, *listed); });
  list->add_option("--role", listed->role, "Only these: user, admin")
      ->check(CLI::IsMember({"user", "admin"}))
      ->type_name("ROLE");
  list->add_option("--client", listed->client, "Only those who see this client's messages")
      ->type_name("ID");
  list->add_flag("--disabled", listed->disabled, "Only disabled ones");
  list->add_option("--limit", listed->limit, "At most so many, 1 to 1000 (50)")
      ->check(CLI::Range(1, kPageSizeMax))
      ->type_name("N");
  list->add_option("--page-token", listed->page_token, "Go on where a page ended")
      ->type_name("TOKEN");
  list->add_flag("--all", listed->all, "Every page");
}

void AddCreate(CommandTree& tree, CLI::App* noun, Context& context) {
  auto created = std::make_shared<CreateOptions>();
  CLI::App* const create =
      tree.Verb(noun, "create", "Makes a user and prints a one-time password.", "create the user",
                [&context, created] { return Create(context, *created); });
  create->add_option("email", created->email, "The e-mail to log in with; it never changes")
      ->required();
  create->add_option("--name", created->name, "For display (the e-mail)")->type_name("TEXT");
  create->add_option("--role", created->role, "user or admin")
      ->required()
      ->check(CLI::IsMember({"user", "admin"}))
      ->type_name("ROLE");
  create->add_option("--client", created->clients, "A client whose messages the user sees; again")
      ->type_name("ID");
}

}  // namespace

void AddUserCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("user", "Users: who may log in at the portal.");
  AddCreate(tree, noun, context);
  AddList(tree, noun, context);
  AddOne(tree, context, noun, "show", "Shows a user with live sessions and last logins.",
         "show the user", Show);
  const OneVerb disable =
      AddOne(tree, context, noun, "disable", "Ends a user's sessions and lets them in no more.",
             "disable the user", Disable);
  disable.app->add_option("--reason", disable.options->value, "For the audit log")
      ->type_name("TEXT");
  AddOne(tree, context, noun, "enable", "Lets a disabled user in again.", "enable the user",
         Enable);
  const OneVerb password = AddOne(tree, context, noun, "password",
                                  "Gives a user a one-time password; every session of theirs ends.",
                                  "reset the password", ResetPassword);
  password.app->add_flag("--ask", password.options->ask,
                         "Ask for it (or read a line from stdin) instead of making one");
  const OneVerb role =
      AddOne(tree, context, noun, "role", "Changes a user's role; every session of theirs ends.",
             "change the role", SetRole);
  role.app->add_option("role", role.options->value, "user or admin")
      ->required()
      ->check(CLI::IsMember({"user", "admin"}));
  const OneVerb link = AddOne(tree, context, noun, "link", "Lets a user see a client's messages.",
                              "link the client", Link);
  link.app->add_option("client", link.options->value, "The client's id")->required();
  link.app->add_flag("--remove", link.options->remove, "Take the link away");
}

}  // namespace postern::ctl
