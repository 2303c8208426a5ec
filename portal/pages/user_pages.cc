#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "portal/pages/user_views.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Users = v1::UserService::StubInterface::async_interface;

http::Response NewUserPage(Visit& visit, const Faults& faults) {
  View view = visit.Frame("New user", "users");
  PutField(view, "name", visit.form.Get("name"), faults);
  PutField(view, "email", visit.form.Get("email"), faults);
  PutField(view, "role", "", faults);
  PutField(view, "client_ids", visit.form.Get("client_ids"), faults);
  const bool admin = visit.form.Get("role") == "admin";
  ViewList roles;
  roles.push_back(Choice("user", "User: sees the messages of linked clients", !admin));
  roles.push_back(Choice("admin", "Administrator: sees and manages everything", admin));
  view["roles"] = View(roles);
  return visit.Page("user_new", view, faults.empty() ? 200 : 422);
}

}  // namespace

PageAnswer ShowUsers(Visit& visit) {
  v1::ListUsersRequest ask;
  ask.set_page_size(PageSize(visit));
  ask.set_page_token(std::string(visit.query.Get("page")));
  ask.set_email_prefix(std::string(visit.query.Get("email")));
  const std::string_view role = visit.query.Get("role");
  const std::string_view state = visit.query.Get("state");
  if (role == "admin") ask.set_role(v1::USER_ROLE_ADMIN);
  if (role == "user") ask.set_role(v1::USER_ROLE_USER);
  if (state == "active") ask.set_state(v1::USER_STATE_ACTIVE);
  if (state == "disabled") ask.set_state(v1::USER_STATE_DISABLED);
  const auto found = co_await visit.Ask(visit.backend().users->async(), &Users::ListUsers, ask);
  const std::optional<Faults> faults = FaultsOf(found.status(), "email_prefix");
  if (!found.ok() && !faults.has_value()) co_return visit.Failure(found.status());
  View view = visit.Frame("Users", "users");
  Faults shown;
  if (faults.has_value()) shown["email"] = faults->begin()->second;
  PutField(view, "email", visit.query.Get("email"), shown);
  PutUserFilter(view, role, state);
  ViewList rows;
  if (found.ok()) {
    for (const v1::User& user : found->users()) rows.push_back(UserRow(visit, user));
  }
  view["any"] = View(!rows.empty());
  view["rows"] = View(rows);
  PageTokens tokens;
  if (found.ok()) tokens.next = found->next_page_token();
  PutPages(view, visit, tokens);
  co_return visit.Page("users", view, found.ok() ? 200 : 422);
}

PageAnswer ShowNewUser(Visit& visit) { co_return NewUserPage(visit, Faults()); }

PageAnswer CreateUser(Visit& visit) {
  Faults faults;
  if (visit.form.Get("name").empty()) faults["name"] = "Enter the user's name.";
  if (visit.form.Get("email").empty()) faults["email"] = "Enter the user's e-mail address.";
  const std::string_view role = visit.form.Get("role");
  if (role != "user" && role != "admin") faults["role"] = "Choose a role.";
  if (!faults.empty()) co_return NewUserPage(visit, faults);
  v1::CreateUserRequest ask;
  ask.set_name(std::string(visit.form.Get("name")));
  ask.set_email(std::string(visit.form.Get("email")));
  ask.set_role(role == "admin" ? v1::USER_ROLE_ADMIN : v1::USER_ROLE_USER);
  for (std::string& id : Words(visit.form.Get("client_ids"))) ask.add_client_ids(std::move(id));
  visit.call_deadline = kLoginDeadline;
  const auto made = co_await visit.Ask(visit.backend().users->async(), &Users::CreateUser, ask);
  if (absl::IsAlreadyExists(made.status())) {
    faults["email"] = "Somebody has this e-mail address already.";
  } else if (absl::IsNotFound(made.status())) {
    faults["client_ids"] = "One of these clients is not registered.";
  } else if (auto refused = FaultsOf(made.status(), "name email role client_ids")) {
    faults = *std::move(refused);
  }
  if (!faults.empty()) co_return NewUserPage(visit, faults);
  if (!made.ok()) co_return visit.Failure(made.status());
  co_return OneTimePasswordPage(visit, made->user(), made->one_time_password());
}

PageAnswer ShowUser(Visit& visit) {
  v1::GetUserRequest ask;
  if (!SetUserKey(visit, ask.mutable_user())) co_return visit.ErrorPage(404);
  const auto found = co_await visit.Ask(visit.backend().users->async(), &Users::GetUser, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  co_return UserPage(visit, *found, Faults());
}

}  // namespace postern::portal
