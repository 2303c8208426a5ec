#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Users = v1::UserService::StubInterface::async_interface;

ViewList ClientIds(const v1::User& user) {
  ViewList ids;
  for (const std::string& id : user.client_ids()) ids.push_back(View(id));
  return ids;
}

PageAnswer ProfilePage(Visit& visit, Faults faults) {
  const v1::GetProfileRequest ask;
  const auto found = co_await visit.Ask(visit.backend().users->async(), &Users::GetProfile, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  const v1::User& user = found->user();
  View view = visit.Frame("Profile", "profile");
  view["name"] = View(user.name());
  view["email"] = View(user.email());
  view["role"] = View(user.role() == v1::USER_ROLE_ADMIN ? "Administrator" : "User");
  view["made"] = visit.Time(user.created_at_us());
  view["password_changed"] = visit.Time(user.password_changed_at_us());
  const ViewList clients = ClientIds(user);
  view["any_clients"] = View(!clients.empty());
  view["clients"] = View(clients);
  const ViewList sessions = SessionRows(visit, found->sessions());
  view["other_sessions"] = View(sessions.size() > 1);
  view["sessions"] = View(sessions);
  view["logins"] = View(LoginRows(visit, found->logins()));
  PutField(view, "current_password", "", faults);
  PutField(view, "new_password", "", faults);
  PutField(view, "repeat_password", "", faults);
  ViewList zones;
  for (const std::string& name : visit.zones().names()) {
    zones.push_back(Choice(name, name, name == visit.zone_name()));
  }
  view["zones"] = View(zones);
  co_return visit.Page("profile", view, faults.empty() ? 200 : 422);
}

// A page of ours that a form was sent from.
std::string WhereFrom(const Visit& visit) {
  const std::string_view next = visit.form.Get("next");
  const bool ours = next.size() > 1 && next[0] == '/' && next[1] != '/' &&
                    next.find('\\') == std::string_view::npos && next.size() < kReturnPathBytesMax;
  return ours ? std::string(next) : "/";
}

}  // namespace

PageAnswer ShowProfile(Visit& visit) { return ProfilePage(visit, Faults()); }

PageAnswer ChangePassword(Visit& visit) {
  const std::string next(visit.form.Get("new_password"));
  Faults faults;
  if (visit.form.Get("repeat_password") != next) {
    faults["repeat_password"] = "It is not the same as the one above.";
  }
  if (!faults.empty()) co_return co_await ProfilePage(visit, std::move(faults));
  v1::ChangePasswordRequest ask;
  ask.set_current_password(std::string(visit.form.Get("current_password")));
  ask.set_new_password(next);
  ask.set_address(visit.request.remote_address);
  visit.call_deadline = kLoginDeadline;
  const auto answer =
      co_await visit.Ask(visit.backend().users->async(), &Users::ChangePassword, ask);
  auto refused = FaultsOf(answer.status(), "current_password new_password");
  if (refused.has_value()) co_return co_await ProfilePage(visit, *std::move(refused));
  if (absl::IsResourceExhausted(answer.status())) {
    faults["current_password"] = "Too many attempts. Wait a little while, then try again.";
    co_return co_await ProfilePage(visit, std::move(faults));
  }
  if (!answer.ok()) co_return visit.Failure(answer.status());
  visit.PasswordChanged();
  co_return visit.Redirect("/profile?done=password");
}

PageAnswer EndSessions(Visit& visit) {
  v1::EndSessionsRequest ask;
  ask.set_session_id(std::string(visit.form.Get("session")));
  const auto answer = co_await visit.Ask(visit.backend().users->async(), &Users::EndSessions, ask);
  if (!answer.ok()) co_return visit.Failure(answer.status());
  co_return visit.Redirect("/profile?done=sessions");
}

PageAnswer SetTheme(Visit& visit) {
  const std::string_view theme = visit.form.Get("theme");
  if (theme != "light" && theme != "dark" && theme != "auto") {
    co_return visit.ErrorPage(400, "theme: it is light, dark or auto.");
  }
  visit.SetPreference("theme", theme);
  co_return visit.Redirect(WhereFrom(visit));
}

PageAnswer SetZone(Visit& visit) {
  const std::string_view zone = visit.form.Get("zone");
  if (!visit.zones().Contains(zone)) {
    co_return visit.ErrorPage(400, "zone: there is no such time zone.");
  }
  visit.SetPreference("zone", zone);
  co_return visit.Redirect("/profile?done=zone#preferences");
}

PageAnswer ShowHelp(Visit& visit) {
  const v1::GetProfileRequest ask;
  const auto found = co_await visit.Ask(visit.backend().users->async(), &Users::GetProfile, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  View view = visit.Frame("Help", "help");
  const v1::User& user = found->user();
  view["client"] = View(user.client_ids().empty() ? "<client-id>" : user.client_ids(0));
  co_return visit.Page("help", view);
}

}  // namespace postern::portal
