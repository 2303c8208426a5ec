#include "portal/pages/user_views.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

View UserStateMark(const v1::User& user) {
  if (user.state() == v1::USER_STATE_DISABLED) return Mark("bad", "ban", "Disabled");
  if (user.must_change_password()) return Mark("warn", "clock", "One-time password");
  return Mark("good", "check", "Active");
}

const char* RoleText(const v1::User& user) {
  return user.role() == v1::USER_ROLE_ADMIN ? "Administrator" : "User";
}

}  // namespace

bool SetUserKey(const Visit& visit, v1::UserKey* key) {
  std::int64_t id = 0;
  if (!absl::SimpleAtoi(visit.parameter, &id) || id < 1) return false;
  key->set_id(id);
  return true;
}

std::vector<std::string> Words(std::string_view text) {
  return absl::StrSplit(ToAbsl(text), absl::ByAnyChar(" ,;\t\r\n"), absl::SkipEmpty());
}

View UserRow(const Visit& visit, const v1::User& user) {
  View row;
  row["address"] = View(StrCat("/users/", user.id()));
  row["email"] = View(user.email());
  row["name"] = View(user.name());
  row["role"] = View(RoleText(user));
  row["mark"] = UserStateMark(user);
  row["clients"] =
      View(user.role() == v1::USER_ROLE_ADMIN ? std::string("all")
                                              : std::to_string(user.client_ids_size()));
  row["last_login"] = visit.Time(user.last_login_at_us());
  return row;
}

void PutUserFilter(View& view, std::string_view role, std::string_view state) {
  ViewList roles;
  roles.push_back(Choice("", "Any role", role.empty()));
  roles.push_back(Choice("user", "Users", role == "user"));
  roles.push_back(Choice("admin", "Administrators", role == "admin"));
  view["roles"] = View(roles);
  ViewList states;
  states.push_back(Choice("", "Any state", state.empty()));
  states.push_back(Choice("active", "Active", state == "active"));
  states.push_back(Choice("disabled", "Disabled", state == "disabled"));
  view["states"] = View(states);
  view["filtered"] =
      View(!role.empty() || !state.empty() || !view.get("email_value")->string_value().empty());
}

http::Response UserPage(Visit& visit, const v1::GetUserResponse& found, const Faults& faults) {
  const v1::User& user = found.user();
  View view = visit.Frame(user.name(), "users");
  view["id"] = View(std::to_string(user.id()));
  view["name"] = View(user.name());
  view["email"] = View(user.email());
  view["role"] = View(RoleText(user));
  view["is_admin"] = View(user.role() == v1::USER_ROLE_ADMIN);
  view["mark"] = UserStateMark(user);
  view["enabled"] = View(user.state() == v1::USER_STATE_ACTIVE);
  view["own"] = View(visit.session->user_id == std::to_string(user.id()));
  view["made"] = visit.Time(user.created_at_us());
  view["last_login"] = visit.Time(user.last_login_at_us());
  view["password_changed"] = visit.Time(user.password_changed_at_us());
  ViewList clients;
  for (const std::string& id : user.client_ids()) clients.push_back(View(id));
  view["any_clients"] = View(!clients.empty());
  view["clients"] = View(clients);
  view["sessions"] = View(SessionRows(visit, found.sessions()));
  view["any_sessions"] = View(found.sessions_size() > 0);
  view["logins"] = View(LoginRows(visit, found.logins()));
  view["any_logins"] = View(found.logins_size() > 0);
  PutField(view, "client_id", visit.form.Get("client_id"), faults);
  return visit.Page("user", view, faults.empty() ? 200 : 422);
}

http::Response OneTimePasswordPage(Visit& visit, const v1::User& user,
                                   const std::string& password) {
  View view = visit.Frame("One-time password", "users");
  view["id"] = View(std::to_string(user.id()));
  view["name"] = View(user.name());
  view["email"] = View(user.email());
  view["password"] = View(password);
  return visit.Page("user_password", view);
}

}  // namespace postern::portal
