#include <algorithm>
#include <nlohmann/json.hpp>

#include "portal/pages/message_filter.h"
#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"
#include "services/common/base/uuid.h"

namespace postern::portal {
namespace {

using Messages = v1::MessageService::StubInterface::async_interface;

View MessageRow(const Visit& visit, const v1::Message& message, const std::string& query) {
  View row;
  row["address"] = View(StrCat("/messages/", message.id(), query));
  row["time"] = visit.Time(message.accepted_at_us());
  row["client"] = View(message.client_id());
  row["number"] = View(message.sender_number());
  SetText(row, "ref", message.client_ref());
  row["mark"] = StateMark(message.state());
  row["attempts"] = View(std::to_string(message.attempts()));
  SetText(row, "reason", message.reason().empty() ? message.last_error() : message.reason());
  return row;
}

// The filter without what says where in the list one is: it goes with the link to a message.
std::string FilterQuery(const Visit& visit) {
  Parameters filter = visit.query;
  for (const char* field : {"page", "done", "size", "tail"}) filter.Remove(field);
  return filter.ToQuery();
}

// One step on the way of a message.
struct Step {
  std::string title;
  std::string text;
  std::int64_t at_us = 0;
  const char* kind = "good";
  const char* icon = "check";
};

std::vector<Step> StepsOf(const v1::Message& message) {
  std::vector<Step> steps;
  steps.push_back({"Accepted", "The edge had checked it.", message.accepted_at_us()});
  if (message.durable_at_us() != 0) {
    steps.push_back({"On disk", "The queue had it on disk, and the client its answer.",
                     message.durable_at_us(), "good", "disk"});
  }
  if (message.registered_at_us() != 0) {
    steps.push_back(
        {"Registered", "The main server had it.", message.registered_at_us(), "good", "database"});
  }
  if (message.delivered_at_us() != 0) {
    steps.push_back({"Delivered", "", message.delivered_at_us(), "good", "mail"});
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.at_us < b.at_us; });
  const std::string error = message.last_error().empty() ? message.reason() : message.last_error();
  if (message.state() == v1::MESSAGE_STATE_RETRYING) {
    steps.push_back(
        {StrCat(message.attempts(), message.attempts() == 1 ? " attempt" : " attempts", " failed"),
         ReasonText(error), 0, "warn", "alert"});
    steps.push_back({"Next attempt", "", message.next_attempt_at_us(), "warn", "retry"});
  } else if (message.state() == v1::MESSAGE_STATE_DEAD) {
    steps.push_back({"Given up", ReasonText(message.reason()), 0, "bad", "cross"});
  } else if (message.state() == v1::MESSAGE_STATE_QUEUED) {
    steps.push_back({"Waits for its delivery", "", 0, "", "clock"});
  }
  return steps;
}

View Timeline(const Visit& visit, const v1::Message& message) {
  ViewList rows;
  std::int64_t before_us = 0;
  for (const Step& step : StepsOf(message)) {
    View row;
    row["step"] = View(step.title);
    SetText(row, "text", step.text);
    row["kind"] = View(step.kind);
    row["icon"] = View(step.icon);
    row["time"] = visit.Time(step.at_us);
    const bool has_gap = before_us != 0 && step.at_us > before_us;
    SetText(row, "gap", has_gap ? StrCat("+", FormatSpan(step.at_us - before_us)) : "");
    if (step.at_us != 0) before_us = step.at_us;
    rows.push_back(row);
  }
  return View(rows);
}

View Metadata(const std::string& json) {
  ViewList members;
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return View(members);
  for (const auto& [name, value] : parsed.items()) {
    if (name == "client_ref") continue;  // Has a place of its own.
    View member;
    member["name"] = View(name);
    member["value"] = View(
        value.is_string() ? value.get<std::string>()
                          : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    members.push_back(member);
  }
  return View(members);
}

void PutMessage(View& view, const Visit& visit, const v1::Message& message) {
  view["id"] = View(message.id());
  view["mark"] = StateMark(message.state());
  view["client"] = View(message.client_id());
  view["domain"] = View(message.domain());
  view["number"] = View(message.sender_number());
  SetText(view, "ref", message.client_ref());
  view["attempts"] = View(std::to_string(message.attempts()));
  view["epoch"] = View(std::to_string(message.epoch()));
  view["brought_back"] = View(message.epoch() > 1);
  SetText(view, "reason", message.reason());
  SetText(view, "trace", message.traceparent());
  view["timeline"] = Timeline(visit, message);
  view["metadata"] = Metadata(message.metadata_json());
  SetText(view, "damaged",
          message.decryption_error().empty() ? "" : ReasonText(message.decryption_error()));
  view["body"] = View(message.message_body());
  const bool took = message.delivered_at_us() != 0;
  SetText(view, "took",
          took ? FormatSpan(message.delivered_at_us() - message.accepted_at_us()) : "");
}

// The message beside this one within the filter: the address, or nothing.
boost::asio::awaitable<std::string> Neighbour(Visit& visit, const std::string& id, bool newer) {
  const MessageFilter filter(visit);
  if (!filter.faults().empty()) co_return std::string();
  v1::ListMessagesRequest ask;
  filter.Apply(ask);
  ask.set_page_size(1);
  if (newer) {
    ask.set_newer_than_id(id);
  } else {
    ask.set_older_than_id(id);
  }
  const auto found =
      co_await visit.Ask(visit.backend().messages->async(), &Messages::ListMessages, ask);
  if (!found.ok() || found->messages().empty()) co_return std::string();
  co_return StrCat("/messages/", found->messages(0).id(), FilterQuery(visit));
}

}  // namespace

PageAnswer ShowMessages(Visit& visit) {
  MessageFilter filter(visit);
  View view = visit.Frame("Messages", "messages");
  v1::ListMessagesRequest ask;
  v1::ListMessagesResponse page;
  bool asked = filter.faults().empty();
  if (asked) {
    filter.Apply(ask);
    ask.set_page_size(PageSize(visit));
    ask.set_page_token(std::string(visit.query.Get("page")));
    auto found =
        co_await visit.Ask(visit.backend().messages->async(), &Messages::ListMessages, ask);
    if (absl::IsNotFound(found.status())) {
      // A client that is not there, or not the user's: nothing of it can be seen either way.
      found = v1::ListMessagesResponse();
    }
    const std::optional<Faults> faults =
        FaultsOf(found.status(), "client_id sender_number client_ref reason");
    if (!found.ok() && !faults.has_value()) co_return visit.Failure(found.status());
    if (found.ok()) {
      page = *std::move(found);
    } else {
      asked = false;
      filter.AddServerFaults(*faults);
    }
  }
  filter.Show(view, visit);
  const std::string query = FilterQuery(visit);
  ViewList rows;
  for (const v1::Message& message : page.messages())
    rows.push_back(MessageRow(visit, message, query));
  view["any"] = View(!rows.empty());
  view["count"] = View(FormatCount(static_cast<std::int64_t>(rows.size())));
  view["rows"] = View(rows);
  view["faulty"] = View(!asked);
  const bool first_page = visit.query.Get("page").empty();
  view["can_tail"] = View(first_page && asked);
  PageTokens tokens;
  tokens.next = page.next_page_token();
  tokens.previous = page.previous_page_token();
  PutPages(view, visit, tokens);
  co_return visit.Page("messages", view, asked ? 200 : 422);
}

PageAnswer ShowMessage(Visit& visit) {
  const absl::StatusOr<Uuid> id = Uuid::Parse(visit.parameter);
  if (!id.ok()) co_return visit.ErrorPage(404);
  v1::GetMessageRequest ask;
  ask.set_id(id->ToString());
  ask.set_view(v1::MESSAGE_VIEW_FULL);
  const auto found =
      co_await visit.Ask(visit.backend().messages->async(), &Messages::GetMessage, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  const std::string newer = co_await Neighbour(visit, ask.id(), true);
  const std::string older = co_await Neighbour(visit, ask.id(), false);
  View view = visit.Frame("Message", "messages");
  PutMessage(view, visit, found->message());
  SetText(view, "newer", newer);
  SetText(view, "older", older);
  view["back"] = View(StrCat("/messages", FilterQuery(visit)));
  co_return visit.Page("message", view);
}

}  // namespace postern::portal
