#include "edge_proxy/trace_context.h"

#include <algorithm>
#include <optional>

namespace postern::edge {
namespace {

constexpr std::size_t kLength = 55;

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsAllZero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

void AppendHex(std::string& out, std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

}  // namespace

bool IsValidTraceparent(std::string_view value) {
  if (value.size() != kLength || value.substr(0, 3) != "00-") return false;
  if (value[35] != '-' || value[52] != '-') return false;
  const std::string_view trace_id = value.substr(3, 32);
  const std::string_view parent_id = value.substr(36, 16);
  return IsLowerHex(trace_id) && IsLowerHex(parent_id) && IsLowerHex(value.substr(53)) &&
         !IsAllZero(trace_id) && !IsAllZero(parent_id);
}

std::string_view TraceOf(const http::Request& request) {
  const std::optional<std::string_view> given = request.Field("traceparent");
  return given.has_value() && IsValidTraceparent(*given) ? *given : std::string_view();
}

std::string MakeTraceparent(const Uuid& request_id, const Uuid& message_id) {
  std::string out;
  out.reserve(kLength);
  out.append("00-");
  AppendHex(out, request_id.bytes());
  out.push_back('-');
  AppendHex(out, message_id.bytes().substr(8));
  out.append("-00");
  return out;
}

}  // namespace postern::edge
