#include "tests/load/response_parser.h"

#include <charconv>

#include "absl/strings/match.h"
#include "services/common/base/strings.h"

namespace postern::load {
namespace {

constexpr std::string_view kVersion = "HTTP/1.1 ";
constexpr std::size_t kIdChars = 36;

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool NameIs(std::string_view text, std::string_view name) {
  return absl::EqualsIgnoreCase(ToAbsl(text), ToAbsl(name));
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// False when the line is not a header or its value is wrong.
bool ReadHeader(std::string_view line, Answer& answer, std::optional<std::size_t>& length) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (NameIs(name, "content-length")) {
    std::size_t size = 0;
    if (!ParseNumber(value, size)) return false;
    length = size;
  } else if (NameIs(name, "connection")) {
    answer.close = NameIs(value, "close");
  } else if (NameIs(name, "retry-after")) {
    std::int64_t seconds = 0;
    if (ParseNumber(value, seconds)) answer.retry_after = std::chrono::seconds(seconds);
  }
  return true;
}

std::optional<MessageId> FindId(std::string_view body) {
  constexpr std::string_view kMember = "\"id\":";
  std::size_t at = body.find(kMember);
  if (at == std::string_view::npos) return std::nullopt;
  at += kMember.size();
  while (at < body.size() && body[at] == ' ') ++at;
  if (body.size() - at < kIdChars + 2 || body[at] != '"' || body[at + kIdChars + 1] != '"') {
    return std::nullopt;
  }
  return ParseMessageId(body.substr(at + 1, kIdChars));
}

int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::optional<MessageId> ParseMessageId(std::string_view text) {
  if (text.size() != kIdChars) return std::nullopt;
  MessageId id{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      if (text[at++] != '-') return std::nullopt;
    }
    const int high = HexValue(text[at]);
    const int low = HexValue(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id[i] = static_cast<std::uint8_t>(high * 16 + low);
    at += 2;
  }
  return id;
}

ParseResult ParseAnswer(std::string_view data, Answer& answer, std::size_t& consumed) {
  answer = Answer();
  const std::size_t head_end = data.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return ParseResult::kIncomplete;
  const std::string_view head = data.substr(0, head_end);
  if (!head.starts_with(kVersion) || !ParseNumber(head.substr(kVersion.size(), 3), answer.status)) {
    return ParseResult::kMalformed;
  }
  std::optional<std::size_t> length;
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;) {
    const std::size_t next = head.find("\r\n", at + 2);
    if (!ReadHeader(head.substr(at + 2, next == std::string_view::npos ? next : next - at - 2),
                    answer, length)) {
      return ParseResult::kMalformed;
    }
    at = next;
  }
  if (!length) return ParseResult::kMalformed;
  const std::size_t body_start = head_end + 4;
  if (data.size() - body_start < *length) return ParseResult::kIncomplete;
  consumed = body_start + *length;
  answer.body = data.substr(body_start, *length);
  if (answer.status == 202) answer.id = FindId(answer.body);
  return ParseResult::kComplete;
}

bool ParseBatchAnswer(std::string_view body, std::size_t messages,
                      std::vector<std::optional<MessageId>>& outcomes) {
  constexpr std::string_view kStatus = "{\"status\":";
  constexpr std::string_view kAccepted = "202,\"message\":";
  outcomes.clear();
  std::size_t at = body.find("\"outcomes\":[");
  while (at != std::string_view::npos && (at = body.find(kStatus, at)) != std::string_view::npos) {
    at += kStatus.size();
    const std::string_view rest = body.substr(at);
    outcomes.push_back(rest.starts_with(kAccepted) ? FindId(rest) : std::nullopt);
  }
  return outcomes.size() == messages;
}

}  // namespace postern::load
