#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Users = v1::UserService::StubInterface::async_interface;

constexpr std::size_t kEmailBytesMax = 120;
constexpr std::size_t kPasswordBytesMax = 72;

// A path of ours to go to after the login; the dashboard for anything else. Never another site:
// browsers read `//` and `/\` as the beginning of one.
std::string ReturnPath(std::string_view path) {
  const bool ours = path.size() > 1 && path.size() < kReturnPathBytesMax && path[0] == '/' &&
                    path[1] != '/' && path.find('\\') == std::string_view::npos &&
                    path.find_first_of("\r\n\t") == std::string_view::npos;
  return ours ? std::string(path) : "/dashboard";
}

http::Response LoginPage(Visit& visit, const Faults& faults, std::string_view fault, int status) {
  View view = visit.Frame("Sign in", "");
  SetText(view, "fault", fault);
  PutField(view, "email", visit.form.Get("email"), faults);
  PutField(view, "password", "", faults);
  const std::string_view next =
      visit.form.Has("next") ? visit.form.Get("next") : visit.query.Get("next");
  view["next"] = View(std::string(next.substr(0, kReturnPathBytesMax)));
  return visit.Page("login", view, status);
}

Faults CheckLogin(std::string_view email, std::string_view password) {
  Faults faults;
  if (email.empty()) faults["email"] = "Enter your e-mail address.";
  if (email.size() > kEmailBytesMax) {
    faults["email"] = StrCat("At most ", kEmailBytesMax, " characters.");
  }
  if (password.empty()) faults["password"] = "Enter your password.";
  if (password.size() > kPasswordBytesMax) {
    faults["password"] = StrCat("At most ", kPasswordBytesMax, " bytes.");
  }
  return faults;
}

http::Response PasswordPage(Visit& visit, const Faults& faults, std::string_view fault) {
  View view = visit.Frame("Choose your password", "");
  SetText(view, "fault", fault);
  PutField(view, "current_password", "", faults);
  PutField(view, "new_password", "", faults);
  PutField(view, "repeat_password", "", faults);
  return visit.Page("password", view, faults.empty() && fault.empty() ? 200 : 422);
}

}  // namespace

PageAnswer ShowLanding(Visit& visit) {
  if (visit.session.has_value()) co_return visit.Redirect("/dashboard");
  co_return visit.Page("landing", visit.Frame("Welcome", ""));
}

PageAnswer ShowLogin(Visit& visit) {
  if (visit.session.has_value()) co_return visit.Redirect(ReturnPath(visit.query.Get("next")));
  co_return LoginPage(visit, Faults(), "", 200);
}

PageAnswer LogIn(Visit& visit) {
  const std::string email(visit.form.Get("email"));
  const std::string password(visit.form.Get("password"));
  const Faults faults = CheckLogin(email, password);
  if (!faults.empty()) co_return LoginPage(visit, faults, "", 422);
  v1::LoginRequest ask;
  ask.set_email(email);
  ask.set_password(password);
  ask.set_address(visit.request.remote_address);
  ask.set_user_agent(std::string(visit.request.Field("user-agent").value_or("")));
  const Deadline by = Deadline::After(kLoginDeadline);
  const auto answer = co_await rpc::Call(visit.backend().users->async(), &Users::Login, ask, by);
  if (absl::IsUnauthenticated(answer.status()) || absl::IsInvalidArgument(answer.status())) {
    co_return LoginPage(visit, Faults(), "E-mail or password is not right.", 401);
  }
  if (absl::IsResourceExhausted(answer.status())) {
    http::Response response =
        LoginPage(visit, Faults(), "Too many attempts. Wait a little while, then try again.", 429);
    response.fields.emplace_back("Retry-After", std::to_string(kRetryAfterSeconds));
    co_return response;
  }
  if (!answer.ok()) co_return visit.Failure(answer.status());
  // A new session, whatever cookie came with the request.
  visit.session.reset();
  visit.SignIn(answer->tokens(), answer->user());
  if (visit.session->password_change_required) co_return visit.Redirect("/password");
  co_return visit.Redirect(ReturnPath(visit.form.Get("next")));
}

PageAnswer LogOut(Visit& visit) {
  if (visit.session.has_value()) {
    v1::LogoutRequest ask;
    ask.set_refresh_token(visit.session->refresh_token);
    const Deadline by = Deadline::After(kCallDeadline);
    const auto answer = co_await rpc::Call(visit.backend().users->async(), &Users::Logout, ask, by);
    // Signed out only where the server knows it: a copy of the cookie must be of no use.
    if (!answer.ok() && !absl::IsUnauthenticated(answer.status())) {
      co_return visit.Failure(answer.status());
    }
    visit.SignOut();
  }
  co_return visit.Redirect("/login?done=signed-out");
}

PageAnswer ShowPasswordChange(Visit& visit) {
  if (!visit.session->password_change_required) {
    co_return visit.Redirect("/profile#password");
  }
  co_return PasswordPage(visit, Faults(), "");
}

PageAnswer ChangeFirstPassword(Visit& visit) {
  const std::string next(visit.form.Get("new_password"));
  Faults faults;
  if (visit.form.Get("repeat_password") != next) {
    faults["repeat_password"] = "It is not the same as the one above.";
  }
  if (visit.form.Get("current_password").empty()) {
    faults["current_password"] = "Enter the password that you signed in with.";
  }
  if (!faults.empty()) co_return PasswordPage(visit, faults, "");
  v1::ChangePasswordRequest ask;
  ask.set_current_password(std::string(visit.form.Get("current_password")));
  ask.set_new_password(next);
  ask.set_address(visit.request.remote_address);
  visit.call_deadline = kLoginDeadline;
  const auto answer =
      co_await visit.Ask(visit.backend().users->async(), &Users::ChangePassword, ask);
  const auto refused = FaultsOf(answer.status(), "current_password new_password");
  if (refused.has_value()) co_return PasswordPage(visit, *refused, "");
  if (!answer.ok()) co_return visit.Failure(answer.status());
  visit.PasswordChanged();
  co_return visit.Redirect("/dashboard");
}

}  // namespace postern::portal
