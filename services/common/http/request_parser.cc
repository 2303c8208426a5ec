#include "services/common/http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace postern::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using beast::http::verb;

constexpr std::size_t kFieldsMax = 100;
// Taken at once for a body: more only as it arrives, so that announcing a body costs the server
// nothing.
constexpr std::size_t kBodyReserve = 4 * 1024;

bool IsTargetCharacter(char c) { return c > 0x20 && c < 0x7f && c != '#'; }

// The characters of `uri-host [":" port]` (RFC 3986, 3.2.2).
bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("-._~%!$&'()*+,;=:[]").find(c) != std::string_view::npos;
}

// Whether a header that Beast finds incomplete holds a line end that Beast does not take for one,
// or an end of header that Beast has passed, in a request line that is none.
bool WaitsInVain(const beast::flat_buffer& in) {
  const std::string_view text(static_cast<const char*>(in.data().data()), in.size());
  if (text.find("\r\n\r\n") != text.npos) return true;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

}  // namespace

RequestParser::RequestParser(std::size_t header_bytes, std::size_t body_bytes, LargePath large)
    : header_bytes_(header_bytes), body_bytes_(body_bytes), large_(large) {
  // Beast counts the request line and the fields each for itself; Feed counts all.
  header_limit(static_cast<std::uint32_t>(header_bytes + 1));
  body_limit(body_bytes);
  eager(true);
}

RequestParser::State RequestParser::Feed(beast::flat_buffer& in) {
  Error ec;
  const bool in_header = !is_header_done();
  const std::size_t used = put(in.data(), ec);
  in.consume(used);
  if (ec && ec != beast::http::error::need_more) return RefuseByParserError(ec);
  if (in_header) {
    header_used_ += used - request_.body.size();
    const std::size_t waiting = is_header_done() ? 0 : in.size();
    if (header_used_ + waiting > header_bytes_) {
      return RefuseByParserError(beast::http::error::header_limit);
    }
  }
  if (!is_header_done() && WaitsInVain(in)) {
    return RefuseByParserError(beast::http::error::bad_line_ending);
  }
  return is_done() ? State::kComplete : State::kNeedMore;
}

bool RequestParser::TakeExpectContinue() {
  return is_header_done() && std::exchange(expect_continue_, false);
}

void RequestParser::on_request_impl(verb, View method_text, View target, int version, Error& ec) {
  http_11_ = version == 11;
  if (target.empty() || target.front() != '/') {
    return Refuse(400, "target", "The request target must be a path that begins with a slash.", ec);
  }
  if (!std::all_of(target.begin(), target.end(), IsTargetCharacter)) {
    return Refuse(400, "target", "The request target holds a character that must be encoded.", ec);
  }
  request_.method.assign(method_text.data(), method_text.size());
  const std::size_t question = std::min(target.find('?'), target.size());
  request_.path.assign(target.data(), question);
  if (question < target.size()) {
    request_.query.assign(target.data() + question + 1, target.size() - question - 1);
  }
  if (!large_.path.empty() && request_.path == large_.path) body_limit(large_.body_bytes);
  head_ = request_.method == "HEAD";
  length_required_ =
      request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH";
  request_.fields.reserve(12);
}

void RequestParser::on_field_impl(field name, View name_text, View value, Error& ec) {
  if (request_.fields.size() == kFieldsMax) {
    return Refuse(431, "header_limit", "The header has too many fields.", ec);
  }
  switch (name) {
    case field::host:
      if (std::exchange(host_seen_, true)) {
        return Refuse(400, "host", "There must be exactly one Host.", ec);
      }
      if (value.empty() || !std::all_of(value.begin(), value.end(), IsHostCharacter)) {
        return Refuse(400, "host", "Host must be a name or an address, with or without port.", ec);
      }
      break;
    case field::content_length:
      TakeContentLength(value, ec);
      break;
    case field::transfer_encoding:
      return Refuse(501, "transfer_encoding", "Transfer-Encoding is not supported.", ec);
    case field::expect:
      TakeExpect(value, ec);
      break;
    default:
      break;
  }
  if (ec) return;
  auto& added = request_.fields.emplace_back();
  added.first.assign(name_text.data(), name_text.size());
  for (char& c : added.first) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  added.second.assign(value.data(), value.size());
}

void RequestParser::TakeContentLength(View value, Error& ec) {
  if (std::exchange(length_seen_, true)) {
    return Refuse(400, "length", "There must be exactly one Content-Length.", ec);
  }
  if (value.empty() || !std::all_of(value.begin(), value.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      })) {
    Refuse(400, "length", "Content-Length must be one decimal number.", ec);
  }
}

void RequestParser::TakeExpect(View value, Error& ec) {
  if (!absl::EqualsIgnoreCase(absl::string_view(value.data(), value.size()), "100-continue")) {
    return Refuse(417, "expectation", "Only 100-continue can be expected.", ec);
  }
  expect_continue_ = http_11_;
}

void RequestParser::on_header_impl(Error& ec) {
  if (http_11_ && !host_seen_) {
    return Refuse(400, "host", "There must be exactly one Host.", ec);
  }
  if (length_required_ && !length_seen_) {
    return Refuse(411, "length", "A request of this method needs a Content-Length.", ec);
  }
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>& length, Error&) {
  request_.body.reserve(std::min<std::size_t>(length.value_or(0), kBodyReserve));
}

std::size_t RequestParser::on_body_impl(View body, Error&) {
  request_.body.append(body.data(), body.size());
  return body.size();
}

void RequestParser::Refuse(int status, const char* reason, const char* detail, Error& ec) {
  refusal_.status = status;
  refusal_.reason = reason;
  refusal_.detail = detail;
  ec = beast::http::error::bad_value;
}

RequestParser::State RequestParser::RefuseByParserError(const Error& ec) {
  using E = beast::http::error;
  if (refusal_.status != 0) return State::kRefused;
  Error ignored;
  if (ec == E::header_limit) {
    Refuse(431, "header_limit", "The header is too large.", ignored);
  } else if (ec == E::body_limit) {
    Refuse(413, "body_limit", "The body is too large.", ignored);
  } else if (ec == E::bad_content_length || ec == E::multiple_content_length) {
    Refuse(400, "length", "There must be exactly one Content-Length, a decimal number.", ignored);
  } else if (ec == E::bad_transfer_encoding) {
    Refuse(501, "transfer_encoding", "Transfer-Encoding is not supported.", ignored);
  } else {
    Refuse(400, "malformed", "The request is not well-formed HTTP/1.1.", ignored);
  }
  return State::kRefused;
}

}  // namespace postern::http
