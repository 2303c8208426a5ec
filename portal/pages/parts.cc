#include "portal/pages/parts.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

struct Pair {
  std::string_view key;
  std::string_view text;
};

template <std::size_t kSize>
std::string_view Find(const std::array<Pair, kSize>& pairs, std::string_view key) {
  for (const Pair& pair : pairs) {
    if (pair.key == key) return pair.text;
  }
  return {};
}

constexpr std::array kReasons{
    Pair{"AUTHENTICATION_FAILED", "What was stored is not what was sent: it was altered."},
    Pair{"ATTEMPTS_EXHAUSTED", "Every allowed attempt has failed."},
    Pair{"DATA_KEY_UNKNOWN", "No key opens it."},
    Pair{"MALFORMED_ENVELOPE", "What the queue held was no message."},
    Pair{"DATA_ERROR", "The database would not take it."},
    Pair{"CLIENT_UNKNOWN", "Its client is not registered."},
};

constexpr std::array kNotices{
    Pair{"password", "Your password is changed. Your other sessions have ended."},
    Pair{"sessions", "The session has ended."},
    Pair{"zone", "Times are shown in the zone that you chose."},
    Pair{"signed-out", "You are signed out."},
    Pair{"enabled", "The user may sign in."},
    Pair{"disabled", "The user may not sign in any more. Their sessions have ended."},
    Pair{"role", "The role is changed. The user's sessions have ended."},
    Pair{"linked", "The user sees the messages of that client."},
    Pair{"unlinked", "The user does not see the messages of that client any more."},
    Pair{"client-made", "The client is registered. It needs a certificate to send."},
    Pair{"suspended", "The client may not send any more. Its connections are cut."},
    Pair{"resumed", "The client may send again."},
    Pair{"limited", "The limits are changed. Edges keep to them within a second."},
    Pair{"revoked", "The certificate is revoked. It is refused within two seconds."},
    Pair{"purged", "Retention has run."},
};

struct Product {
  std::string_view mark;
  std::string_view name;
};
// In this order: browsers carry the marks of those that they descend from.
constexpr std::array kBrowsers{Product{"Edg/", "Edge"},        Product{"OPR/", "Opera"},
                               Product{"Firefox/", "Firefox"}, Product{"Chrome/", "Chrome"},
                               Product{"Safari/", "Safari"},   Product{"curl/", "curl"}};
constexpr std::array kSystems{Product{"Android", "Android"}, Product{"iPhone", "iPhone"},
                              Product{"iPad", "iPad"},       Product{"Windows", "Windows"},
                              Product{"Mac OS X", "macOS"},  Product{"Linux", "Linux"}};

template <std::size_t kSize>
std::string_view NameIn(const std::array<Product, kSize>& products, std::string_view text) {
  for (const Product& product : products) {
    if (text.find(product.mark) != std::string_view::npos) return product.name;
  }
  return {};
}

}  // namespace

View Mark(const char* kind, const char* icon, std::string_view word) {
  View mark;
  mark["kind"] = View(kind);
  mark["icon"] = View(icon);
  mark["word"] = View(std::string(word));
  return mark;
}

View StateMark(v1::MessageState state) {
  switch (state) {
    case v1::MESSAGE_STATE_QUEUED:
      return Mark("wait", "clock", "Queued");
    case v1::MESSAGE_STATE_RETRYING:
      return Mark("warn", "retry", "Retrying");
    case v1::MESSAGE_STATE_DELIVERED:
      return Mark("good", "check", "Delivered");
    case v1::MESSAGE_STATE_DEAD:
      return Mark("bad", "cross", "Dead");
    default:
      return Mark("", "info", "Unknown");
  }
}

std::string_view StateWord(v1::MessageState state) {
  switch (state) {
    case v1::MESSAGE_STATE_QUEUED:
      return "queued";
    case v1::MESSAGE_STATE_RETRYING:
      return "retrying";
    case v1::MESSAGE_STATE_DELIVERED:
      return "delivered";
    case v1::MESSAGE_STATE_DEAD:
      return "dead";
    default:
      return "";
  }
}

std::optional<v1::MessageState> StateOfWord(std::string_view word) {
  for (const auto state : {v1::MESSAGE_STATE_QUEUED, v1::MESSAGE_STATE_RETRYING,
                           v1::MESSAGE_STATE_DELIVERED, v1::MESSAGE_STATE_DEAD}) {
    if (StateWord(state) == word) return state;
  }
  return std::nullopt;
}

std::string ReasonText(std::string_view code) {
  const std::string_view known = Find(kReasons, code);
  return std::string(known.empty() ? code : known);
}

void PutNotice(View& view, const Visit& visit) {
  SetText(view, "notice", Find(kNotices, visit.query.Get("done")));
}

void PutPages(View& view, const Visit& visit, PageTokens tokens) {
  const auto address = [&](std::string_view token) {
    if (token.empty()) return std::string();
    Parameters query = visit.query;
    query.Set("page", token);
    return StrCat(visit.request.path, query.ToQuery());
  };
  SetText(view, "older", address(tokens.next));
  SetText(view, "newer", address(tokens.previous));
  Parameters first = visit.query;
  first.Remove("page");
  const bool at_first = visit.query.Get("page").empty();
  SetText(view, "first", at_first ? "" : StrCat(visit.request.path, first.ToQuery()));
  view["paged"] = View(!at_first || !tokens.next.empty() || !tokens.previous.empty());
}

int PageSize(const Visit& visit) {
  int size = 0;
  if (!absl::SimpleAtoi(ToAbsl(visit.query.Get("size")), &size) || size < 1) return kRowsPerPage;
  return std::min(size, kRowsPerPageMax);
}

View Choice(std::string_view value, std::string_view label, bool chosen) {
  View choice;
  choice["value"] = View(std::string(value));
  choice["label"] = View(std::string(label));
  choice["chosen"] = View(chosen);
  return choice;
}

View Chip(const Visit& visit, std::string_view label, std::string_view field,
          std::string_view value) {
  Parameters without = visit.query;
  without.Remove(field, value);
  without.Remove("page");
  without.Remove("done");
  View chip;
  chip["label"] = View(std::string(label));
  chip["remove"] = View(StrCat(visit.request.path, without.ToQuery()));
  return chip;
}

http::Response ConfirmationPage(Visit& visit, const Confirmation& confirmation) {
  View view = visit.Frame(confirmation.title, confirmation.section);
  view["text"] = View(confirmation.text);
  view["action"] = View(confirmation.action);
  view["back"] = View(confirmation.back);
  view["button"] = View(confirmation.button);
  view["stops"] = View(confirmation.stops);
  view["asks_reason"] = View(confirmation.asks_reason);
  SetText(view, "typed", confirmation.typed);
  ViewList hidden;
  for (const auto& [name, value] : confirmation.hidden) {
    View field;
    field["name"] = View(name);
    field["value"] = View(value);
    hidden.push_back(field);
  }
  view["hidden"] = View(hidden);
  PutField(view, "reason", visit.form.Get("reason"), confirmation.faults);
  PutField(view, "confirm", visit.form.Get("confirm"), confirmation.faults);
  return visit.Page("confirm", view, confirmation.faults.empty() ? 200 : 422);
}

std::string BrowserName(std::string_view user_agent) {
  constexpr std::size_t kShown = 40;
  const std::string_view browser = NameIn(kBrowsers, user_agent);
  const std::string_view system = NameIn(kSystems, user_agent);
  if (browser.empty()) return std::string(user_agent.substr(0, kShown));
  return system.empty() ? std::string(browser) : StrCat(browser, " on ", system);
}

ViewList LoginRows(const Visit& visit,
                   const google::protobuf::RepeatedPtrField<v1::LoginRecord>& logins) {
  ViewList rows;
  for (const v1::LoginRecord& login : logins) {
    View row;
    row["time"] = visit.Time(login.at_us());
    row["mark"] =
        login.succeeded() ? Mark("good", "check", "Signed in") : Mark("bad", "cross", "Refused");
    row["address"] = View(login.address());
    row["browser"] = View(BrowserName(login.user_agent()));
    rows.push_back(row);
  }
  return rows;
}

ViewList SessionRows(const Visit& visit,
                     const google::protobuf::RepeatedPtrField<v1::Session>& sessions) {
  ViewList rows;
  for (const v1::Session& session : sessions) {
    View row;
    row["id"] = View(session.id());
    row["began"] = visit.Time(session.created_at_us());
    row["refreshed"] = visit.Time(session.refreshed_at_us());
    row["address"] = View(session.address());
    row["browser"] = View(BrowserName(session.user_agent()));
    row["this_one"] = View(session.current());
    rows.push_back(row);
  }
  return rows;
}

}  // namespace postern::portal
