#include "portal/pages/message_filter.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

constexpr std::size_t kClientBytesMax = 64;
constexpr std::size_t kRefBytesMax = 64;
constexpr std::size_t kReasonBytesMax = 64;
constexpr std::size_t kDigitsMin = 7;
constexpr std::size_t kDigitsMax = 15;
constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;

struct Preset {
  std::string_view word;
  std::string_view label;
  std::int64_t hours;
};
constexpr std::array kPresets{Preset{"", "Any time", 0}, Preset{"1h", "Last hour", 1},
                              Preset{"24h", "Last 24 hours", 24}, Preset{"7d", "Last 7 days", 168},
                              Preset{"30d", "Last 30 days", 720}};

std::string Trimmed(std::string_view text) {
  return std::string(ToStd(absl::StripAsciiWhitespace(ToAbsl(text))));
}

// A number as people write it, `+1 (415) 555-0123`, in E.164 form; empty when it is none.
std::string NormalizeNumber(std::string_view text) {
  std::string number;
  for (const char c : text) {
    if (absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c == '+' && number.empty())) {
      number.push_back(c);
    } else if (std::string_view(" -().").find(c) == std::string_view::npos) {
      return {};
    }
  }
  if (!number.starts_with('+')) number.insert(number.begin(), '+');
  const std::size_t digits = number.size() - 1;
  return digits >= kDigitsMin && digits <= kDigitsMax && number[1] != '0' ? number : std::string();
}

void CheckLength(const std::string& value, std::size_t most, const char* field, Faults& faults) {
  if (value.size() > most) faults[field] = StrCat("At most ", most, " characters.");
}

}  // namespace

MessageFilter::MessageFilter(const Visit& visit)
    : client_(Trimmed(visit.query.Get("client"))),
      number_(Trimmed(visit.query.Get("number"))),
      ref_(Trimmed(visit.query.Get("ref"))),
      reason_(Trimmed(visit.query.Get("reason"))) {
  ReadRange(visit);
  for (const std::string& word : visit.query.All("state")) {
    const std::optional<v1::MessageState> state = StateOfWord(word);
    if (!state.has_value()) {
      faults_["state"] = "There is no such status.";
    } else if (std::find(states_.begin(), states_.end(), *state) == states_.end()) {
      states_.push_back(*state);
    }
  }
  CheckLength(client_, kClientBytesMax, "client", faults_);
  CheckLength(ref_, kRefBytesMax, "ref", faults_);
  CheckLength(reason_, kReasonBytesMax, "reason", faults_);
  if (!number_.empty() && NormalizeNumber(number_).empty()) {
    faults_["number"] = "A whole number with its country code, such as +14155550123.";
  }
}

void MessageFilter::ReadRange(const Visit& visit) {
  range_ = std::string(visit.query.Get("range"));
  from_text_ = Trimmed(visit.query.Get("from"));
  until_text_ = Trimmed(visit.query.Get("until"));
  const auto preset = std::find_if(kPresets.begin(), kPresets.end(),
                                   [&](const Preset& p) { return p.word == range_; });
  if (preset == kPresets.end()) {
    faults_["range"] = "There is no such range.";
  } else if (preset->hours > 0) {
    from_us_ = visit.now_us - preset->hours * kHour;
  }
  static constexpr const char* kDate = "A date and time such as 2026-11-27T13:05.";
  if (!from_text_.empty() && !ParseFromInput(from_text_, visit.zone(), from_us_)) {
    faults_["from"] = kDate;
  }
  if (!until_text_.empty() && !ParseFromInput(until_text_, visit.zone(), until_us_)) {
    faults_["until"] = kDate;
  }
  if (until_us_ != 0 && from_us_ >= until_us_ && !faults_.contains("from")) {
    faults_["until"] = "It has to be later than the beginning.";
  }
}

void MessageFilter::AddServerFaults(const Faults& faults) {
  const auto take = [&](std::string_view theirs, const char* ours) {
    const auto fault = faults.find(theirs);
    if (fault != faults.end()) faults_[ours] = fault->second;
  };
  take("client_id", "client");
  take("sender_number", "number");
  take("client_ref", "ref");
  take("reason", "reason");
}

bool MessageFilter::empty() const {
  return range_.empty() && from_text_.empty() && until_text_.empty() && states_.empty() &&
         client_.empty() && number_.empty() && ref_.empty() && reason_.empty();
}

void MessageFilter::Apply(v1::ListMessagesRequest& request) const {
  for (const v1::MessageState state : states_) request.add_states(state);
  request.set_client_id(client_);
  request.set_client_ref(ref_);
  request.set_reason(reason_);
  request.set_accepted_from_us(from_us_);
  request.set_accepted_until_us(until_us_);
  if (!number_.empty()) request.set_sender_number(NormalizeNumber(number_));
}

void MessageFilter::Show(View& view, const Visit& visit) const {
  ViewList ranges;
  for (const Preset& preset : kPresets) {
    ranges.push_back(Choice(preset.word, preset.label, preset.word == range_));
  }
  view["ranges"] = View(ranges);
  ViewList states;
  for (const auto state : {v1::MESSAGE_STATE_QUEUED, v1::MESSAGE_STATE_RETRYING,
                           v1::MESSAGE_STATE_DELIVERED, v1::MESSAGE_STATE_DEAD}) {
    const bool chosen = std::find(states_.begin(), states_.end(), state) != states_.end();
    states.push_back(
        Choice(StateWord(state), StateMark(state).get("word")->string_value(), chosen));
  }
  view["states"] = View(states);
  PutField(view, "range", range_, faults_);
  PutField(view, "from", from_text_, faults_);
  PutField(view, "until", until_text_, faults_);
  PutField(view, "state", "", faults_);
  PutField(view, "client", client_, faults_);
  PutField(view, "number", number_, faults_);
  PutField(view, "ref", ref_, faults_);
  PutField(view, "reason", reason_, faults_);
  view["filter_open"] = View(!faults_.empty());
  view["filtered"] = View(!empty());
  ShowChips(view, visit);
}

void MessageFilter::ShowChips(View& view, const Visit& visit) const {
  ViewList chips;
  for (const Preset& preset : kPresets) {
    if (!range_.empty() && preset.word == range_) {
      chips.push_back(Chip(visit, preset.label, "range", range_));
    }
  }
  const auto add = [&](std::string_view prefix, std::string_view field, const std::string& value) {
    const std::string_view given = visit.query.Get(field);
    if (!value.empty()) chips.push_back(Chip(visit, StrCat(prefix, value), field, given));
  };
  add("From ", "from", from_text_);
  add("Until ", "until", until_text_);
  for (const v1::MessageState state : states_) {
    const View mark = StateMark(state);
    chips.push_back(Chip(visit, mark.get("word")->string_value(), "state", StateWord(state)));
  }
  add("Client ", "client", client_);
  add("Number ", "number", number_);
  add("Reference ", "ref", ref_);
  add("Reason ", "reason", reason_);
  const bool any = !chips.empty();
  view["chips"] = View(chips);
  view["any_chips"] = View(any);
}

}  // namespace postern::portal
