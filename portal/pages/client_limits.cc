#include "absl/strings/numbers.h"
#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Clients = v1::ClientService::StubInterface::async_interface;

// As the main server has them.
constexpr std::int64_t kRateMax = 1'000'000;
constexpr std::int64_t kPerDayMax = 1'000'000'000'000;

// Values of the field `kind`.
constexpr std::string_view kOwn = "own";
constexpr std::string_view kOfEdges = "edges";

// The form as it stands for what the client has.
Parameters ValuesOf(const v1::Client& client) {
  Parameters values;
  values.Set("kind", client.has_limits() ? kOwn : kOfEdges);
  const auto put = [&values](std::string_view name, std::int64_t limit) {
    if (limit > 0) values.Set(name, StrCat(limit));
  };
  put("messages_per_second", client.limits().messages_per_second());
  put("burst", client.limits().burst());
  put("messages_per_day", client.limits().messages_per_day());
  return values;
}

http::Response LimitsPage(Visit& visit, const Parameters& values, const Faults& faults) {
  View view = visit.Frame(StrCat("Limits of ", visit.parameter), "clients");
  view["path"] = View(StrCat("/clients/", FormEncode(visit.parameter)));
  ViewList kinds;
  const std::string_view kind = values.Get("kind");
  kinds.push_back(Choice(kOfEdges, "As each edge is set", kind == kOfEdges));
  kinds.push_back(Choice(kOwn, "Its own, as below", kind == kOwn));
  view["kinds"] = View(kinds);
  for (const char* field : {"kind", "messages_per_second", "burst", "messages_per_day", "reason"}) {
    PutField(view, field, values.Get(field), faults);
  }
  return visit.Page("client_limits", view, faults.empty() ? 200 : 422);
}

// The number in a field, 0 for an empty one; `faults` has what is wrong with it.
std::int64_t ReadLimit(const Parameters& form, const char* field, std::int64_t max,
                       Faults& faults) {
  const std::string_view text = form.Get(field);
  std::int64_t limit = 0;
  if (text.empty()) return 0;
  if (!absl::SimpleAtoi(ToAbsl(text), &limit) || limit < 0 || limit > max) {
    faults[field] = StrCat("Enter a whole number from 0 to ", FormatCount(max), ".");
  }
  return limit;
}

Faults ReadForm(const Parameters& form, v1::SetClientLimitsRequest& ask) {
  Faults faults;
  ask.set_reason(std::string(form.Get("reason")));
  const std::string_view kind = form.Get("kind");
  if (kind == kOfEdges) return faults;
  if (kind != kOwn) {
    faults["kind"] = "Choose one.";
    return faults;
  }
  const std::int64_t a_second = ReadLimit(form, "messages_per_second", kRateMax, faults);
  const std::int64_t burst = ReadLimit(form, "burst", kRateMax, faults);
  const std::int64_t a_day = ReadLimit(form, "messages_per_day", kPerDayMax, faults);
  if (faults.empty() && burst > 0 && a_second == 0) {
    faults["burst"] = "This takes a limit of messages a second.";
  }
  v1::ClientLimits& limits = *ask.mutable_limits();
  limits.set_messages_per_second(static_cast<std::int32_t>(a_second));
  limits.set_burst(static_cast<std::int32_t>(burst));
  limits.set_messages_per_day(a_day);
  return faults;
}

}  // namespace

PageAnswer ShowClientLimits(Visit& visit) {
  v1::GetClientRequest ask;
  ask.set_client_id(visit.parameter);
  const auto found = co_await visit.Ask(visit.backend().clients->async(), &Clients::GetClient, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  co_return LimitsPage(visit, ValuesOf(found->client()), Faults());
}

PageAnswer SetClientLimits(Visit& visit) {
  v1::SetClientLimitsRequest ask;
  ask.set_client_id(visit.parameter);
  const Faults faults = ReadForm(visit.form, ask);
  if (!faults.empty()) co_return LimitsPage(visit, visit.form, faults);
  const auto done =
      co_await visit.Ask(visit.backend().clients->async(), &Clients::SetClientLimits, ask);
  const auto refused = FaultsOf(done.status(), "reason");
  if (refused.has_value()) co_return LimitsPage(visit, visit.form, *refused);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return visit.Redirect(StrCat("/clients/", FormEncode(visit.parameter), "?done=limited"));
}

}  // namespace postern::portal
