#include "services/common/http/response_format.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <string_view>

#include "services/common/base/strings.h"

namespace postern::http {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr int kNoContent = 204;

bool IsFieldText(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::string_view Reason(int status) {
  const auto text =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {text.data(), text.size()};
}

}  // namespace

const std::string& DateField::At(std::int64_t now_us) {
  const std::int64_t second = now_us / kMicrosPerSecond;
  if (second == second_) return text_;
  second_ = second;
  const std::time_t time = static_cast<std::time_t>(second);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  // The programs never leave the C locale, so the names of days and months are the English ones.
  const std::size_t size =
      std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
  text_.assign(text.data(), size);
  return text_;
}

bool FormatAnswer(const Response& response, AnswerOptions options, const std::string& date_field,
                  std::string& out) {
  out.clear();
  StrAppend(&out, "HTTP/1.1 ", response.status, " ", Reason(response.status), "\r\n", date_field);
  if (options.close) out.append("Connection: close\r\n");
  if (!response.body.empty() || options.open_end) {
    if (!IsFieldText(response.content_type)) return false;
    StrAppend(&out, "Content-Type: ", response.content_type, "\r\n");
  }
  for (const auto& [name, value] : response.fields) {
    if (!IsFieldText(name) || !IsFieldText(value)) return false;
    StrAppend(&out, name, ": ", value, "\r\n");
  }
  const bool has_body = response.status != kNoContent;
  if (has_body && !options.open_end) {
    StrAppend(&out, "Content-Length: ", response.body.size(), "\r\n");
  }
  out.append("\r\n");
  if (has_body && !options.head) out.append(response.body);
  return true;
}

}  // namespace postern::http
