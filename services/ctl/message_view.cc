#include "services/ctl/message_view.h"

#include <algorithm>
#include <string>
#include <vector>

#include "services/common/base/strings.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

struct Step {
  std::int64_t at_us;
  std::string what;
};

// What happened, in the order in which it did.
std::vector<Step> Timeline(const v1::Message& message) {
  std::vector<Step> steps;
  const auto add = [&steps](std::int64_t at_us, std::string what) {
    if (at_us != 0) steps.push_back({at_us, std::move(what)});
  };
  add(message.accepted_at_us(), "accepted");
  add(message.durable_at_us(), "on disk");
  add(message.registered_at_us(), "registered");
  add(message.delivered_at_us(), StrCat("delivered at attempt ", message.attempts()));
  add(message.next_attempt_at_us(), StrCat("attempt ", message.attempts() + 1, " is due"));
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.at_us < b.at_us; });
  return steps;
}

std::string AttemptsText(const v1::Message& message) {
  const bool dead = message.state() == v1::MESSAGE_STATE_DEAD;
  const std::string& error = dead ? message.last_error() : message.reason();
  if (error.empty()) return StrCat(message.attempts());
  return StrCat(message.attempts(), ", the last failed: ", error);
}

}  // namespace

void PrintMessage(std::ostream& out, const v1::Message& message) {
  Table fields({"FIELD", "VALUE"});
  const auto add_if = [&fields](const char* name, const std::string& value) {
    if (!value.empty()) fields.Add({name, value});
  };
  fields.Add({"id", message.id()});
  fields.Add({"client", StrCat(message.client_id(), " (", message.domain(), ")")});
  add_if("client_ref", message.client_ref());
  fields.Add({"state", StateText(message.state())});
  if (message.epoch() > 1) fields.Add({"epoch", StrCat(message.epoch())});
  fields.Add({"attempts", AttemptsText(message)});
  if (message.state() == v1::MESSAGE_STATE_DEAD) fields.Add({"dead because", message.reason()});
  add_if("number", message.sender_number());
  add_if("body", message.message_body());
  add_if("metadata", message.metadata_json());
  add_if("traceparent", message.traceparent());
  add_if("not readable", message.decryption_error());
  fields.Print(out, false);

  out << "\ntimeline\n";
  Table steps({"", "TIME", "AFTER", "STEP"});
  for (const Step& step : Timeline(message)) {
    const bool first = step.at_us == message.accepted_at_us();
    steps.Add({"", TimeText(step.at_us),
               first ? "" : OffsetText(message.accepted_at_us(), step.at_us), step.what});
  }
  steps.Print(out, false);
}

void PrintMessages(std::ostream& out, std::span<const v1::Message* const> messages, bool full,
                   bool with_header) {
  std::vector<std::string> header = {"ID",     "CLIENT",   "CLIENT_REF", "STATE", "ATTEMPTS",
                                     "REASON", "ACCEPTED", "DELIVERED",  "NUMBER"};
  if (full) header.push_back("BODY");
  Table table(std::move(header));
  for (const v1::Message* message : messages) {
    std::string delivered = OffsetText(message->accepted_at_us(), message->delivered_at_us());
    std::vector<std::string> row = {message->id(),
                                    message->client_id(),
                                    OrDash(message->client_ref()),
                                    StateText(message->state()),
                                    StrCat(message->attempts()),
                                    OrDash(message->reason()),
                                    TimeText(message->accepted_at_us()),
                                    OrDash(delivered),
                                    OrDash(message->sender_number())};
    if (full) {
      row.push_back(message->decryption_error().empty()
                        ? message->message_body()
                        : StrCat("<", message->decryption_error(), ">"));
    }
    table.Add(std::move(row));
  }
  table.Print(out, with_header);
}

}  // namespace postern::ctl
