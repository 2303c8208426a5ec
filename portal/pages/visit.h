#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "portal/pages/backend.h"
#include "portal/web/assets.h"
#include "portal/web/cookies.h"
#include "portal/web/csrf.h"
#include "portal/web/format.h"
#include "portal/web/limits.h"
#include "portal/web/parameters.h"
#include "portal/web/session.h"
#include "portal/web/templates.h"
#include "services/common/http/message.h"
#include "services/common/rpc/async_unary.h"

namespace postern::portal {

// What the pages of one lane work with; all outlive them. Templates, sealer and tokens are the
// lane's own.
struct PageParts {
  const Backend* backend = nullptr;
  const Assets* assets = nullptr;
  const Zones* zones = nullptr;
  Templates* templates = nullptr;
  SessionSealer* sealer = nullptr;
  CsrfTokens* csrf = nullptr;
};

// Field of a form to what is wrong with its value.
using Faults = std::map<std::string, std::string, std::less<>>;

// One request, who makes it, and the way to an answer. Lives as long as the request is handled, on
// its lane's thread.
class Visit {
 public:
  Visit(const PageParts& parts, http::Request asked, std::string id);

  http::Request request;
  const std::string request_id;
  Parameters query;
  Parameters form;        // Of a POST.
  std::string parameter;  // The `{}` of the route.
  std::optional<Session> session;
  const std::int64_t now_us;

  const Backend& backend() const { return *parts_.backend; }
  const Zones& zones() const { return *parts_.zones; }
  absl::TimeZone zone() const { return zone_; }
  const std::string& zone_name() const { return zone_name_; }
  bool admin() const { return session.has_value() && session->admin; }
  // Whether the browser has sent a session that no portal has sealed.
  bool foreign_session() const { return foreign_session_; }

  // --- The session.
  // Takes it from tokens that the main server has given.
  void SignIn(const v1::SessionTokens& tokens, const v1::User& user);
  void SignOut();
  // The user has changed the password: nothing is asked for any more, and forms get new tokens.
  void PasswordChanged();
  // Gets new tokens where the access token is about to end. OK, also when there was nothing to do;
  // Unauthenticated when the session is over (and forgotten), else why the server cannot be asked.
  boost::asio::awaitable<absl::Status> RefreshIfDue();

  // --- Forms.
  // Whether the form was made by us for this browser and this session.
  bool FormIsOurs();

  // How long a call may take; for a page to change where passwords are hashed.
  std::chrono::milliseconds call_deadline = kCallDeadline;

  // --- Calls to the main server, with the user's token. `method` as for rpc::Call.
  template <typename AsyncStub, typename Request, typename Response>
  boost::asio::awaitable<absl::StatusOr<Response>> Ask(
      std::type_identity_t<AsyncStub>* stub, rpc::UnaryMethod<AsyncStub, Request, Response> method,
      std::type_identity_t<Request> message);

  // --- Answers.
  // What every page shows around its own: to be filled up and given to Page.
  View Frame(std::string_view title, std::string_view section);
  http::Response Page(std::string_view name, const View& view, int status = 200);
  http::Response Redirect(std::string_view path) const;
  // A page that says what went wrong; `status` as HTTP has it.
  http::Response ErrorPage(int status, std::string_view detail = "");
  // The same for what the main server has answered. A session that is over leads to the login.
  http::Response Failure(const absl::Status& status);
  http::Response ToLogin();
  // Adds what the answer to this request has to carry: cookies and its id.
  void Complete(http::Response& response);

  void SetPreference(std::string_view name, std::string_view value);

  // --- Parts of pages.
  // A time for `<time>`: {at, iso, ago}; false for 0.
  View Time(std::int64_t at_us) const;

 private:
  boost::asio::awaitable<absl::Status> Refresh();
  rpc::CallOptions Options() const;
  void AddNavigation(View& view, std::string_view section) const;
  void RememberSession();

  const PageParts parts_;
  Cookies cookies_;
  bool foreign_session_ = false;
  std::string csrf_secret_;
  std::string theme_;
  std::string zone_name_;
  absl::TimeZone zone_;
  std::vector<std::string> set_cookies_;
};

// A page: fills the answer to a visit.
using PageFunction = boost::asio::awaitable<http::Response> (*)(Visit& visit);

// `<name>_value` and `<name>_fault` for a field of a form.
void PutField(View& view, const std::string& name, std::string_view value, const Faults& faults);

// The main server's refusal of a form, `field: what is wrong`, as the fault of that field; nullopt
// when it names none of `fields`, which stand with blanks between them. (A list of names would not
// do: g++ 12 cannot build one inside a coroutine.)
std::optional<Faults> FaultsOf(const absl::Status& status, std::string_view fields);

// --- Implementation.

template <typename AsyncStub, typename Request, typename Response>
boost::asio::awaitable<absl::StatusOr<Response>> Visit::Ask(
    std::type_identity_t<AsyncStub>* stub, rpc::UnaryMethod<AsyncStub, Request, Response> method,
    std::type_identity_t<Request> message) {
  rpc::CallOptions options = Options();
  absl::StatusOr<Response> answer = co_await rpc::Call(stub, method, message, std::move(options));
  if (!absl::IsUnauthenticated(answer.status()) || !session.has_value()) co_return answer;
  const absl::Status renewed = co_await Refresh();
  if (!renewed.ok()) co_return renewed;
  options = Options();
  answer = co_await rpc::Call(stub, method, std::move(message), std::move(options));
  co_return answer;
}

}  // namespace postern::portal
