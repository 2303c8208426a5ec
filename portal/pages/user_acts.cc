#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "portal/pages/user_views.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Users = v1::UserService::StubInterface::async_interface;

boost::asio::awaitable<absl::StatusOr<v1::GetUserResponse>> Find(Visit& visit) {
  v1::GetUserRequest ask;
  SetUserKey(visit, ask.mutable_user());
  return visit.Ask(visit.backend().users->async(), &Users::GetUser, ask);
}

// The question before an act that hurts; no title for an act that there is not.
Confirmation Question(std::string_view act, const v1::User& user) {
  Confirmation ask;
  const std::string page = StrCat("/users/", user.id());
  ask.back = page;
  ask.action = page;
  ask.section = "users";
  ask.hidden.emplace_back("act", act);
  if (act == "disable") {
    ask.title = StrCat("Disable ", user.name(), "?");
    ask.text = "The user is signed out everywhere at once and cannot sign in again until enabled.";
    ask.button = "Disable";
    ask.asks_reason = true;
  } else if (act == "password") {
    ask.title = StrCat("New password for ", user.name(), "?");
    ask.text =
        "The user gets a one-time password, good for 72 hours. The old password stops working and "
        "every session ends.";
    ask.button = "Make a one-time password";
  } else if (act == "admin") {
    ask.title = StrCat("Make ", user.name(), " an administrator?");
    ask.text =
        "Administrators read every message and manage users, clients and certificates. Every "
        "session of the user ends.";
    ask.button = "Make administrator";
  } else if (act == "user") {
    ask.title = StrCat("Take the administrator's role from ", user.name(), "?");
    ask.text =
        "The user then sees only the messages of linked clients. Every session of the user ends.";
    ask.button = "Make user";
  }
  return ask;
}

PageAnswer SetState(Visit& visit, v1::UserState state) {
  v1::SetUserStateRequest ask;
  SetUserKey(visit, ask.mutable_user());
  ask.set_state(state);
  ask.set_reason(std::string(visit.form.Get("reason")));
  const auto done = co_await visit.Ask(visit.backend().users->async(), &Users::SetUserState, ask);
  const auto refused = FaultsOf(done.status(), "reason");
  if (refused.has_value()) {
    const auto found = co_await Find(visit);
    if (!found.ok()) co_return visit.Failure(found.status());
    Confirmation question = Question("disable", found->user());
    question.faults = *refused;
    co_return ConfirmationPage(visit, question);
  }
  if (!done.ok()) co_return visit.Failure(done.status());
  const bool enabled = state == v1::USER_STATE_ACTIVE;
  co_return visit.Redirect(
      StrCat("/users/", visit.parameter, enabled ? "?done=enabled" : "?done=disabled"));
}

PageAnswer SetRole(Visit& visit, v1::UserRole role) {
  v1::SetUserRoleRequest ask;
  SetUserKey(visit, ask.mutable_user());
  ask.set_role(role);
  const auto done = co_await visit.Ask(visit.backend().users->async(), &Users::SetUserRole, ask);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return visit.Redirect(StrCat("/users/", visit.parameter, "?done=role"));
}

PageAnswer ResetPassword(Visit& visit) {
  v1::ResetPasswordRequest ask;
  SetUserKey(visit, ask.mutable_user());
  visit.call_deadline = kLoginDeadline;
  const auto done = co_await visit.Ask(visit.backend().users->async(), &Users::ResetPassword, ask);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return OneTimePasswordPage(visit, done->user(), done->one_time_password());
}

PageAnswer LinkClient(Visit& visit) {
  v1::LinkClientRequest ask;
  SetUserKey(visit, ask.mutable_user());
  ask.set_client_id(std::string(visit.form.Get("client_id")));
  Faults faults;
  absl::Status status;
  if (ask.client_id().empty()) {
    faults["client_id"] = "Enter the client's id.";
  } else {
    const auto done = co_await visit.Ask(visit.backend().users->async(), &Users::LinkClient, ask);
    status = done.status();
    if (absl::IsNotFound(status)) faults["client_id"] = "There is no client with this id.";
    if (const auto refused = FaultsOf(status, "client_id")) faults = *refused;
  }
  if (faults.empty() && !status.ok()) co_return visit.Failure(status);
  if (faults.empty()) {
    co_return visit.Redirect(StrCat("/users/", visit.parameter, "?done=linked"));
  }
  const auto found = co_await Find(visit);
  if (!found.ok()) co_return visit.Failure(found.status());
  co_return UserPage(visit, *found, faults);
}

PageAnswer UnlinkClient(Visit& visit) {
  v1::UnlinkClientRequest ask;
  SetUserKey(visit, ask.mutable_user());
  ask.set_client_id(std::string(visit.form.Get("client_id")));
  const auto done = co_await visit.Ask(visit.backend().users->async(), &Users::UnlinkClient, ask);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return visit.Redirect(StrCat("/users/", visit.parameter, "?done=unlinked"));
}

}  // namespace

PageAnswer ConfirmUserAct(Visit& visit) {
  v1::UserKey key;
  if (!SetUserKey(visit, &key)) co_return visit.ErrorPage(404);
  const auto found = co_await Find(visit);
  if (!found.ok()) co_return visit.Failure(found.status());
  const Confirmation question = Question(visit.query.Get("act"), found->user());
  if (question.title.empty()) co_return visit.ErrorPage(404);
  co_return ConfirmationPage(visit, question);
}

PageAnswer ActOnUser(Visit& visit) {
  v1::UserKey key;
  if (!SetUserKey(visit, &key)) co_return visit.ErrorPage(404);
  const std::string_view act = visit.form.Get("act");
  if (act == "enable") co_return co_await SetState(visit, v1::USER_STATE_ACTIVE);
  if (act == "disable") co_return co_await SetState(visit, v1::USER_STATE_DISABLED);
  if (act == "admin") co_return co_await SetRole(visit, v1::USER_ROLE_ADMIN);
  if (act == "user") co_return co_await SetRole(visit, v1::USER_ROLE_USER);
  if (act == "password") co_return co_await ResetPassword(visit);
  if (act == "link") co_return co_await LinkClient(visit);
  if (act == "unlink") co_return co_await UnlinkClient(visit);
  co_return visit.ErrorPage(400, "act: there is no such act.");
}

}  // namespace postern::portal
