#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/common/http/message.h"

namespace postern::http {

// Why the server itself answers a request, or why it does not hand it to the handler.
struct Refusal {
  int status = 0;
  const char* reason = "";  // Label of the metric.
  const char* detail = "";  // One sentence for the client.
};

// A path whose requests may have a larger body.
struct LargePath {
  std::string_view path;  // Empty: none.
  std::size_t body_bytes = 0;
};

// Parses one request out of a buffer, straight into a Request, and refuses what could be read two
// ways. Beast's parser does the grammar; it accepts too much of the framing (any Transfer-Encoding,
// several Hosts, repeated lengths), which is checked here.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  enum class State { kNeedMore, kComplete, kRefused };

  RequestParser(std::size_t header_bytes, std::size_t body_bytes, LargePath large = {});

  // Takes from `in` what belongs to this request. Not to be called again after kComplete or
  // kRefused.
  State Feed(boost::beast::flat_buffer& in);

  bool header_done() const { return is_header_done(); }
  // Whether a body is announced that is larger than usual. Once the header is done.
  bool large_body() const { return content_length().value_or(0) > body_bytes_; }
  // Gives the request a refusal from outside.
  void RefuseBy(const Refusal& refusal) { refusal_ = refusal; }
  // The client waits for `100 Continue` before it sends the body. True at most once, when the
  // header is done and acceptable.
  bool TakeExpectContinue();
  // HTTP/1.1 without `Connection: close`.
  bool keep_alive() const {
    return http_11_ && boost::beast::http::basic_parser<true>::keep_alive();
  }
  bool head() const { return head_; }
  const Refusal& refusal() const { return refusal_; }
  // The parsed request, once complete; `peer` and `received_at_us` are not set.
  Request& request() { return request_; }

 private:
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb method, View method_text, View target, int version,
                       Error& ec) override;
  void on_response_impl(int, View, int, Error&) override {}
  void on_field_impl(boost::beast::http::field name, View name_text, View value,
                     Error& ec) override;
  void on_header_impl(Error& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, Error& ec) override;
  std::size_t on_body_impl(View body, Error& ec) override;
  void on_chunk_header_impl(std::uint64_t, View, Error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View, Error&) override { return 0; }
  void on_finish_impl(Error& ec) override { ec = {}; }

  void Refuse(int status, const char* reason, const char* detail, Error& ec);
  State RefuseByParserError(const Error& ec);
  void TakeContentLength(View value, Error& ec);
  void TakeExpect(View value, Error& ec);

  const std::size_t header_bytes_;
  const std::size_t body_bytes_;
  const LargePath large_;
  std::size_t header_used_ = 0;
  Request request_;
  Refusal refusal_;
  bool http_11_ = false;
  bool head_ = false;
  bool host_seen_ = false;
  bool length_seen_ = false;
  bool length_required_ = false;
  bool expect_continue_ = false;
};

}  // namespace postern::http
