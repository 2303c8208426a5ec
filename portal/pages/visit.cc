#include "portal/pages/visit.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "portal/pages/parts.h"
#include "services/common/base/random.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"

namespace postern::portal {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kSessionCookie = "__Host-session";
constexpr std::string_view kCsrfCookie = "__Host-csrf";
constexpr std::string_view kThemeCookie = "__Host-theme";
constexpr std::string_view kZoneCookie = "__Host-zone";
constexpr std::string_view kCsrfField = "csrf";
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string CookieOf(const Cookies& cookies, std::string_view name) {
  const auto found = cookies.find(name);
  return found == cookies.end() ? std::string() : found->second;
}

std::string NewSessionId() {
  std::array<std::uint8_t, 16> bytes{};
  FillRandom(bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using Users = v1::UserService::StubInterface::async_interface;

}  // namespace

Visit::Visit(const PageParts& parts, http::Request asked, std::string id)
    : request(std::move(asked)),
      request_id(std::move(id)),
      now_us(NowMicros()),
      parts_(parts),
      cookies_(ParseCookies(request.Field("cookie").value_or(""))),
      csrf_secret_(CookieOf(cookies_, kCsrfCookie)),
      theme_(CookieOf(cookies_, kThemeCookie)) {
  const absl::StatusOr<std::string> zone = FormDecode(CookieOf(cookies_, kZoneCookie));
  zone_name_ = zone.ok() && parts_.zones->Contains(*zone) ? *zone : "UTC";
  zone_ = parts_.zones->Find(zone_name_);
  if (theme_ != "light" && theme_ != "dark") theme_ = "auto";
  const std::string sealed = CookieOf(cookies_, kSessionCookie);
  if (sealed.empty()) return;
  session = parts_.sealer->Open(sealed);
  foreign_session_ = !session.has_value();
  if (session.has_value() && session->refresh_expires_at_us <= now_us) session.reset();
}

void Visit::SignIn(const v1::SessionTokens& tokens, const v1::User& user) {
  if (!session.has_value()) {
    session.emplace();
    session->id = NewSessionId();
    csrf_secret_.clear();
  }
  session->access_token = tokens.access_token();
  session->access_expires_at_us = tokens.access_expires_at_us();
  session->refresh_token = tokens.refresh_token();
  session->refresh_expires_at_us = tokens.refresh_expires_at_us();
  session->user_id = std::to_string(user.id());
  session->name = user.name();
  session->admin = user.role() == v1::USER_ROLE_ADMIN;
  session->password_change_required = user.must_change_password();
  RememberSession();
}

void Visit::RememberSession() {
  CookieLife life;
  life.max_age = std::chrono::seconds(
      std::max<std::int64_t>(0, (session->refresh_expires_at_us - now_us) / kMicrosPerSecond));
  const std::string sealed = parts_.sealer->Seal(*session);
  if (sealed.size() > kCookieBytesMax)
    log::Error("session_cookie_too_large", "bytes", sealed.size());
  set_cookies_.push_back(FormatSetCookie(kSessionCookie, sealed, life));
}

void Visit::SignOut() {
  session.reset();
  csrf_secret_.clear();
  CookieLife none;
  none.max_age = std::chrono::seconds(0);
  set_cookies_.push_back(FormatSetCookie(kSessionCookie, "", none));
}

void Visit::PasswordChanged() {
  session->password_change_required = false;
  session->id = NewSessionId();
  RememberSession();
}

asio::awaitable<absl::Status> Visit::RefreshIfDue() {
  const std::int64_t ahead = kRefreshAhead.count() * kMicrosPerSecond;
  if (!session.has_value() || session->access_expires_at_us - ahead > now_us) {
    co_return absl::OkStatus();
  }
  co_return co_await Refresh();
}

asio::awaitable<absl::Status> Visit::Refresh() {
  v1::RefreshSessionRequest ask;
  ask.set_refresh_token(session->refresh_token);
  const Deadline by = Deadline::After(kCallDeadline);
  const auto answer = co_await rpc::Call(backend().users->async(), &Users::RefreshSession, ask, by);
  if (absl::IsUnauthenticated(answer.status())) SignOut();
  if (!answer.ok()) co_return answer.status();
  SignIn(answer->tokens(), answer->user());
  co_return absl::OkStatus();
}

rpc::CallOptions Visit::Options() const {
  const Deadline by = Deadline::After(call_deadline);
  if (!session.has_value()) return {by};
  return {by, {{"authorization", StrCat("Bearer ", session->access_token)}}};
}

bool Visit::FormIsOurs() {
  const bool from_us = ComesFromOurPages(request.Field("origin").value_or(""),
                                         request.Field("sec-fetch-site").value_or(""),
                                         request.Field("host").value_or(""));
  return from_us && parts_.csrf->Check(form.Get(kCsrfField), csrf_secret_,
                                       session.has_value() ? session->id : "");
}

void Visit::SetPreference(std::string_view name, std::string_view value) {
  CookieLife life;
  life.max_age = kPreferenceLife;
  set_cookies_.push_back(FormatSetCookie(StrCat("__Host-", name), FormEncode(value), life));
}

http::Response Visit::Page(std::string_view name, const View& view, int status) {
  http::Response response;
  response.status = status;
  response.content_type = "text/html; charset=utf-8";
  response.body = parts_.templates->Render(name, view);
  return response;
}

http::Response Visit::Redirect(std::string_view path) const {
  http::Response response;
  response.status = 303;
  response.fields.emplace_back("Location", path);
  return response;
}

http::Response Visit::ToLogin() {
  if (session.has_value() || foreign_session_) SignOut();
  Parameters back;
  const bool can_return = request.method == "GET" && request.path != "/" &&
                          request.path.size() + request.query.size() < kReturnPathBytesMax;
  if (can_return) {
    back.Set("next",
             request.query.empty() ? request.path : StrCat(request.path, "?", request.query));
  }
  return Redirect(StrCat("/login", back.ToQuery()));
}

void Visit::Complete(http::Response& response) {
  // A new secret for whoever has none that we could have made.
  for (std::string& cookie : set_cookies_) {
    response.fields.emplace_back("Set-Cookie", std::move(cookie));
  }
  set_cookies_.clear();
  response.fields.emplace_back("Request-Id", request_id);
}

View Visit::Time(std::int64_t at_us) const {
  if (at_us == 0) return View(false);
  View view;
  view["at"] = View(FormatTime(at_us, zone_));
  view["exact"] = View(FormatTimeExactly(at_us, zone_));
  view["iso"] = View(FormatRfc3339(at_us));
  view["ago"] = View(FormatDistance(at_us, now_us));
  view["day"] = View(FormatDay(at_us, zone_));
  return view;
}

View Visit::Frame(std::string_view title, std::string_view section) {
  if (!CsrfTokens::IsSecret(csrf_secret_)) {
    csrf_secret_ = CsrfTokens::NewSecret();
    set_cookies_.push_back(FormatSetCookie(kCsrfCookie, csrf_secret_, {}));
  }
  View view;
  view["title"] = View(std::string(title));
  view["theme"] = View(theme_);
  for (const char* choice : {"light", "dark", "auto"}) {
    view[StrCat("theme_", choice)] = View(theme_ == choice ? "true" : "false");
  }
  view["zone"] = View(zone_name_);
  view["zone_chosen"] = View(cookies_.contains(kZoneCookie) ? "yes" : "no");
  view["offset"] = View(FormatOffset(now_us, zone_));
  view["now"] = View(FormatTime(now_us, zone_));
  view["csrf"] = View(parts_.csrf->Make(csrf_secret_, session.has_value() ? session->id : ""));
  view["request_id"] = View(request_id);
  view["here"] = View(request.method == "GET" ? StrCat(request.path, query.ToQuery()) : "/");
  for (const char* name :
       {"bootstrap.css", "uplot.css", "portal.css", "htmx.js", "uplot.js", "portal.js"}) {
    std::string variable = StrCat("asset_", name);
    std::replace(variable.begin(), variable.end(), '.', '_');
    view[variable] = View(parts_.assets->Url(name));
  }
  view["asset_favicon"] = View(parts_.assets->Url("favicon.svg"));
  view["signed_in"] = View(session.has_value() && !session->password_change_required);
  view["admin"] = View(admin());
  SetText(view, "user_name", session.has_value() ? session->name : "");
  PutNotice(view, *this);
  AddNavigation(view, section);
  return view;
}

void PutField(View& view, const std::string& name, std::string_view value, const Faults& faults) {
  view[name + "_value"] = View(std::string(value.substr(0, kRepeatedBytesMax)));
  const auto fault = faults.find(name);
  SetText(view, name + "_fault", fault == faults.end() ? "" : fault->second);
}

std::optional<Faults> FaultsOf(const absl::Status& status, std::string_view fields) {
  if (!absl::IsInvalidArgument(status)) return std::nullopt;
  const std::string_view text = ToStd(status.message());
  const std::size_t colon = text.find(": ");
  if (colon == std::string_view::npos) return std::nullopt;
  // `limits.burst` and `client_ids[0]` are of the field that they begin with.
  const std::string_view name = text.substr(0, std::min(text.find_first_of(".["), colon));
  for (const absl::string_view field : absl::StrSplit(ToAbsl(fields), ' ')) {
    if (ToStd(field) == name) {
      return Faults{{std::string(name), std::string(text.substr(colon + 2))}};
    }
  }
  return std::nullopt;
}

}  // namespace postern::portal
