#include "portal/pages/routes.h"

#include "portal/pages/pages.h"

namespace postern::portal {
namespace {

constexpr std::string_view kParameter = "{}";

// Whether the path fits; the parameter is what stands for `{}`.
bool Fits(std::string_view pattern, std::string_view path, std::string& parameter) {
  const std::size_t at = pattern.find(kParameter);
  if (at == std::string_view::npos) return pattern == path;
  const std::string_view after = pattern.substr(at + kParameter.size());
  if (path.size() <= at + after.size() || !path.starts_with(pattern.substr(0, at)) ||
      !path.ends_with(after)) {
    return false;
  }
  const std::string_view middle = path.substr(at, path.size() - at - after.size());
  if (middle.find('/') != std::string_view::npos) return false;
  const absl::StatusOr<std::string> decoded = FormDecode(middle);
  if (!decoded.ok() || !IsUtf8(*decoded)) return false;
  parameter = *decoded;
  return true;
}

}  // namespace

const std::vector<Route>& Routes() {
  using enum Access;
  static const auto* const routes = new std::vector<Route>{
      {"GET", "/", kAnybody, ShowLanding},
      {"GET", "/login", kAnybody, ShowLogin},
      {"POST", "/login", kAnybody, LogIn},
      {"POST", "/logout", kAnybody, LogOut},
      {"POST", "/preferences/theme", kAnybody, SetTheme},
      {"GET", "/password", kNewPassword, ShowPasswordChange},
      {"POST", "/password", kNewPassword, ChangeFirstPassword},
      {"GET", "/dashboard", kUser, ShowDashboard},
      {"GET", "/dashboard/figures", kUser, ShowFigures},
      {"GET", "/dashboard/chart", kUser, ShowChart},
      {"GET", "/messages", kUser, ShowMessages},
      {"GET", "/messages/{}", kUser, ShowMessage},
      {"GET", "/profile", kUser, ShowProfile},
      {"POST", "/profile/password", kUser, ChangePassword},
      {"POST", "/profile/sessions", kUser, EndSessions},
      {"POST", "/preferences/zone", kUser, SetZone},
      {"GET", "/help", kUser, ShowHelp},
      {"GET", "/statistics", kAdmin, ShowStatistics},
      {"GET", "/users", kAdmin, ShowUsers},
      {"POST", "/users", kAdmin, CreateUser},
      {"GET", "/users/new", kAdmin, ShowNewUser},
      {"GET", "/users/{}/confirm", kAdmin, ConfirmUserAct},
      {"GET", "/users/{}", kAdmin, ShowUser},
      {"POST", "/users/{}", kAdmin, ActOnUser},
      {"GET", "/clients", kAdmin, ShowClients},
      {"POST", "/clients", kAdmin, CreateClient},
      // Not /clients/new: `new` is a good name for a client.
      {"GET", "/new-client", kAdmin, ShowNewClient},
      {"GET", "/clients/{}/suspend", kAdmin, ConfirmClientAct},
      {"GET", "/clients/{}/limits", kAdmin, ShowClientLimits},
      {"POST", "/clients/{}/limits", kAdmin, SetClientLimits},
      {"GET", "/clients/{}", kAdmin, ShowClient},
      {"POST", "/clients/{}", kAdmin, ActOnClient},
      {"GET", "/certificates", kAdmin, ShowCertificates},
      {"GET", "/certificates/new", kAdmin, ShowNewCertificate},
      {"POST", "/certificates/new", kAdmin, IssueCertificate},
      {"GET", "/certificates/{}/revoke", kAdmin, ConfirmRevocation},
      {"POST", "/certificates/{}/revoke", kAdmin, RevokeCertificate},
      {"GET", "/certificates/{}", kAdmin, ShowCertificate},
      {"GET", "/queue", kAdmin, ShowQueue},
      {"GET", "/queue/redrive", kAdmin, ConfirmRedrive},
      {"POST", "/queue/redrive", kAdmin, Redrive},
      {"GET", "/audit", kAdmin, ShowAudit},
      {"GET", "/database", kAdmin, ShowDatabase},
      {"GET", "/database/purge", kAdmin, ConfirmPurge},
      {"POST", "/database/purge", kAdmin, Purge},
      {"GET", "/system", kAdmin, ShowSystem},
  };
  return *routes;
}

RouteMatch MatchRoute(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  RouteMatch match;
  for (const Route& route : Routes()) {
    if (!Fits(route.path, path, match.parameter)) continue;
    if (route.method == method) {
      match.route = &route;
      return match;
    }
    match.other_method = true;
  }
  return match;
}

}  // namespace postern::portal
