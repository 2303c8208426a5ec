#include "edge_proxy/status_view.h"

#include <algorithm>
#include <string_view>

#include "edge_proxy/json_text.h"
#include "edge_proxy/limits.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"

namespace postern::edge {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string_view StateName(v1::MessageState state) {
  switch (state) {
    case v1::MESSAGE_STATE_RETRYING:
      return "retrying";
    case v1::MESSAGE_STATE_DELIVERED:
      return "delivered";
    case v1::MESSAGE_STATE_DEAD:
      return "dead";
    default:
      return "queued";
  }
}

void AppendText(std::string& json, std::string_view name, std::string_view value) {
  json.append(",\"").append(name).append("\":");
  if (value.empty()) {
    json.append("null");
  } else {
    AppendJsonString(json, value);
  }
}

void AppendTime(std::string& json, std::string_view name, std::int64_t micros) {
  AppendText(json, name, micros == 0 ? std::string() : FormatRfc3339(micros));
}

// All but the closing brace.
void AppendMembers(const v1::Message& message, std::string& json) {
  json.append("{\"id\":\"").append(message.id()).append("\"");
  AppendText(json, "status", StateName(message.state()));
  AppendText(json, "client_ref", message.client_ref());
  AppendTime(json, "accepted_at", message.accepted_at_us());
  AppendTime(json, "durable_at", message.durable_at_us());
  AppendTime(json, "registered_at", message.registered_at_us());
  AppendTime(json, "delivered_at", message.delivered_at_us());
  json.append(",\"attempts\":").append(std::to_string(message.attempts()));
  AppendText(json, "reason", message.reason());
  AppendTime(json, "next_attempt_at", message.next_attempt_at_us());
}

// What has happened and what is due, in the order of time; nothing whose time is not known.
void AppendTimeline(const v1::Message& message, std::string& json) {
  json.append(",\"timeline\":[");
  const auto add = [&json](std::string_view event, std::int64_t micros, std::string_view reason) {
    if (micros == 0) return;
    json.append(json.back() == '}' ? ",{\"event\":\"" : "{\"event\":\"").append(event).append("\"");
    AppendTime(json, "at", micros);
    if (!reason.empty()) AppendText(json, "reason", reason);
    json.push_back('}');
  };
  add("accepted", message.accepted_at_us(), "");
  add("on_disk", message.durable_at_us(), "");
  add("registered", message.registered_at_us(), "");
  const bool dead = message.state() == v1::MESSAGE_STATE_DEAD;
  add(dead ? "dead" : "attempt_failed", message.last_attempt_at_us(), message.reason());
  add("next_attempt", message.next_attempt_at_us(), "");
  add("delivered", message.delivered_at_us(), "");
  json.push_back(']');
}

}  // namespace

std::optional<v1::MessageState> StateOfName(std::string_view name) {
  for (const auto state : {v1::MESSAGE_STATE_QUEUED, v1::MESSAGE_STATE_RETRYING,
                           v1::MESSAGE_STATE_DELIVERED, v1::MESSAGE_STATE_DEAD}) {
    if (StateName(state) == name) return state;
  }
  return std::nullopt;
}

StatusView ViewOf(const v1::Message& message, std::int64_t now_us) {
  StatusView view;
  AppendMembers(message, view.json);
  AppendTimeline(message, view.json);
  view.json.push_back('}');
  view.final =
      message.state() == v1::MESSAGE_STATE_DELIVERED || message.state() == v1::MESSAGE_STATE_DEAD;
  const std::int64_t wait_s = (message.next_attempt_at_us() - now_us) / kMicrosPerSecond + 1;
  view.retry_after_s = std::clamp(wait_s, kStatusRetryAfterSeconds, kRetryAfterMaxSeconds);
  return view;
}

std::string ListJson(const v1::ListMessagesResponse& page, const std::string& next_cursor) {
  std::string json = "{\"messages\":[";
  for (const v1::Message& message : page.messages()) {
    if (json.back() == '}') json.push_back(',');
    AppendMembers(message, json);
    json.push_back('}');
  }
  json.push_back(']');
  AppendText(json, "next_cursor", next_cursor);
  json.push_back('}');
  return json;
}

StatusView ViewOf(const v1::Envelope& envelope) {
  v1::Message message;
  const auto id = Uuid::FromBytes(envelope.id());
  if (id.ok()) message.set_id(id->ToString());
  message.set_state(v1::MESSAGE_STATE_QUEUED);
  message.set_client_ref(envelope.client_ref());
  message.set_accepted_at_us(envelope.accepted_at_us());
  return ViewOf(message, envelope.accepted_at_us());
}

std::string AcceptedJson(const std::string& id, std::int64_t accepted_at_us) {
  std::string json;
  json.reserve(128);
  json.append("{\"id\":\"").append(id);
  json.append("\",\"status\":\"queued\",\"accepted_at\":\"");
  json.append(FormatRfc3339(accepted_at_us)).append("\"}");
  return json;
}

}  // namespace postern::edge
