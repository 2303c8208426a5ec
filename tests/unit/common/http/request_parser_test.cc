#include "services/common/http/request_parser.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

namespace postern::http {
namespace {

using State = RequestParser::State;
constexpr std::size_t kHeaderMax = 1000;
constexpr std::size_t kBodyMax = 100;

class Input {
 public:
  void Add(std::string_view text) {
    buffer.commit(boost::asio::buffer_copy(buffer.prepare(text.size()), boost::asio::buffer(text)));
  }
  boost::beast::flat_buffer buffer;
};

struct Case {
  const char* name;
  std::string text;
  int status;  // 0: accepted whole.
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

class Framing : public ::testing::TestWithParam<Case> {
 protected:
  // The status of the refusal, 0 for a request that is complete, -1 for one that needs more.
  static int Judge(RequestParser& parser, State state) {
    if (state == State::kNeedMore) return -1;
    return state == State::kComplete ? 0 : parser.refusal().status;
  }
};

TEST_P(Framing, AtOnce) {
  RequestParser parser(kHeaderMax, kBodyMax);
  Input input;
  input.Add(GetParam().text);
  const State state = parser.Feed(input.buffer);
  EXPECT_EQ(Judge(parser, state), GetParam().status) << parser.refusal().detail;
  if (state == State::kComplete) {
    EXPECT_EQ(input.buffer.size(), 0u);
  } else {
    EXPECT_NE(std::string(parser.refusal().detail), "");
  }
}

// The same verdict whatever the pieces in which it comes.
TEST_P(Framing, ByteByByte) {
  RequestParser parser(kHeaderMax, kBodyMax);
  Input input;
  State state = State::kNeedMore;
  std::size_t at = 0;
  while (at < GetParam().text.size() && state == State::kNeedMore) {
    input.Add(std::string_view(GetParam().text).substr(at++, 1));
    state = parser.Feed(input.buffer);
  }
  EXPECT_EQ(Judge(parser, state), GetParam().status) << parser.refusal().detail;
}

std::string Post(const std::string& fields, const std::string& body = "hello") {
  return "POST /m HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

// A request whose header takes that many bytes.
std::string HeaderOf(std::size_t bytes) {
  const std::string line = "GET /m HTTP/1.1\r\n";
  const std::string host = "Host: a\r\nX: ";
  return line + host + std::string(bytes - line.size() - host.size() - 4, 'x') + "\r\n\r\n";
}

const Case kCases[] = {
    {"plain", Post("Content-Length: 5\r\n"), 0},
    {"lower_case_names", Post("content-length: 5\r\n"), 0},
    {"get_without_body", "GET /m HTTP/1.1\r\nHost: a\r\n\r\n", 0},
    {"get_with_body", "GET /m HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 0},
    {"host_with_port", "GET /m HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", 0},
    {"empty_body", Post("Content-Length: 0\r\n", ""), 0},
    {"body_at_limit", Post("Content-Length: 100\r\n", std::string(100, 'b')), 0},
    {"http_10", "GET /m HTTP/1.0\r\n\r\n", 0},
    {"unknown_verb_is_the_handlers", "FOO /m HTTP/1.1\r\nHost: a\r\n\r\n", 0},
    {"expect_continue", Post("Expect: 100-continue\r\nContent-Length: 5\r\n"), 0},

    {"length_and_chunked", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 501},
    {"chunked_and_length", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 501},
    {"two_lengths", Post("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
    {"two_equal_lengths", Post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
    {"list_of_lengths", Post("Content-Length: 5,5\r\n"), 400},
    {"length_plus", Post("Content-Length: +5\r\n"), 400},
    {"length_minus", Post("Content-Length: -1\r\n"), 400},
    {"length_hex", Post("Content-Length: 0x5\r\n"), 400},
    {"length_empty", Post("Content-Length: \r\n"), 400},
    {"length_20_digits", Post("Content-Length: 99999999999999999999\r\n"), 400},
    {"length_space_colon", Post("Content-Length : 5\r\n"), 400},
    {"no_length", Post("", ""), 411},
    {"put_without_length", "PUT /m HTTP/1.1\r\nHost: a\r\n\r\n", 411},
    {"patch_without_length", "PATCH /m HTTP/1.1\r\nHost: a\r\n\r\n", 411},
    {"chunked", Post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), 501},
    {"te_gzip", Post("Transfer-Encoding: gzip\r\n", "GET /x HTTP/1.1\r\n\r\n"), 501},
    {"te_xchunked", Post("Transfer-Encoding: xchunked\r\n"), 501},
    {"te_chunked_identity", Post("Transfer-Encoding: chunked, identity\r\n"), 501},
    {"te_gzip_and_length", Post("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), 501},
    {"te_xchunked_and_length", Post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n"), 501},
    {"te_identity_then_chunked",
     Post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 501},
    {"te_empty", Post("Transfer-Encoding:\r\nContent-Length: 5\r\n"), 501},
    {"te_space_colon", Post("Transfer-Encoding : chunked\r\n"), 400},
    {"te_vertical_tab",
     Post("Transfer-Encoding: \x0b"
          "chunked\r\n"),
     400},
    {"te_folded", Post("Transfer-Encoding:\r\n chunked\r\n"), 501},
    {"bare_lf", "POST /m HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello", 400},
    {"bare_cr_in_value", Post("X: a\rb\r\nContent-Length: 5\r\n"), 400},
    {"nul_in_value", Post(std::string("X: a\0b\r\n", 8) + "Content-Length: 5\r\n"), 400},
    {"no_host", "GET /m HTTP/1.1\r\n\r\n", 400},
    {"two_hosts", "GET /m HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"two_equal_hosts", "GET /m HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},
    {"empty_host", "GET /m HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"host_with_path", "GET /m HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"absolute_form", "GET http://x/m HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"authority_form", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"asterisk_form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"fragment_in_target", "GET /m#f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"byte_above_ascii_in_target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"two_spaces", "GET  /m HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"http_10_chunked", "POST /m HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
    {"http_09", "GET /m\r\n\r\n", 400},
    {"http_19", "GET /m HTTP/1.9\r\nHost: a\r\n\r\n", 400},
    {"http_20", "GET /m HTTP/2.0\r\nHost: a\r\n\r\n", 400},
    {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
    {"tls_hello_in_plain", std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), 400},
    {"expect_something", Post("Expect: miracle\r\nContent-Length: 5\r\n"), 417},
    {"field_without_colon", Post("Nonsense\r\nContent-Length: 5\r\n"), 400},
    {"field_without_name", Post(": a\r\nContent-Length: 5\r\n"), 400},
    {"bad_connection", Post("Connection: \"\r\nContent-Length: 5\r\n"), 400},
    {"version_that_spans_the_end_of_header", "ST /p:ab 3\r\n\r\nabc", 400},
    {"header_at_limit", HeaderOf(kHeaderMax), 0},
    {"header_one_byte_over_limit", HeaderOf(kHeaderMax + 1), 431},
    {"one_field_too_large", Post("X: " + std::string(kHeaderMax, 'a') + "\r\n"), 431},
    {"target_too_large", "GET /" + std::string(kHeaderMax, 'a') + " HTTP/1.1\r\n\r\n", 431},
    {"many_small_fields", Post([] {
       std::string fields;
       for (int i = 0; i < 101; ++i) fields += "a:\r\n";
       return fields;
     }()),
     431},
    {"fields_too_large_together", Post([] {
       std::string fields;
       for (int i = 0; i < 50; ++i) fields += "name: 0123456789abcdef\r\n";
       return fields;
     }()),
     431},
    {"body_over_limit", Post("Content-Length: 101\r\n", std::string(101, 'b')), 413},
    {"body_of_petabytes", Post("Content-Length: 9999999999999999\r\n"), 413},
};

INSTANTIATE_TEST_SUITE_P(All, Framing, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(RequestParserTest, GivesTheParts) {
  RequestParser parser(kHeaderMax, kBodyMax);
  Input input;
  input.Add("POST /a/b?c=d?e HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\nContent-Length: 2\r\n\r\nhi");
  input.Add("GET /next");
  ASSERT_EQ(parser.Feed(input.buffer), State::kComplete);
  const Request& request = parser.request();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/a/b");
  EXPECT_EQ(request.query, "c=d?e");
  EXPECT_EQ(request.Field("x-one"), "1");
  EXPECT_EQ(request.Field("x-two"), std::nullopt);
  EXPECT_EQ(request.fields.size(), 3u);
  EXPECT_EQ(request.body, "hi");
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(input.buffer.size(), std::string_view("GET /next").size());
}

bool KeepsAlive(const std::string& text) {
  RequestParser parser(kHeaderMax, kBodyMax);
  Input input;
  input.Add(text);
  EXPECT_EQ(parser.Feed(input.buffer), State::kComplete);
  return parser.keep_alive();
}

TEST(RequestParserTest, KnowsWhenTheConnectionEnds) {
  EXPECT_TRUE(KeepsAlive("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(KeepsAlive("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  EXPECT_FALSE(KeepsAlive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(RequestParserTest, ExpectationIsToldOnceAndOnlyForAGoodHeader) {
  RequestParser parser(kHeaderMax, kBodyMax);
  Input input;
  input.Add("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n");
  EXPECT_EQ(parser.Feed(input.buffer), State::kNeedMore);
  EXPECT_FALSE(parser.TakeExpectContinue());
  input.Add("Content-Length: 1\r\n\r\n");
  EXPECT_EQ(parser.Feed(input.buffer), State::kNeedMore);
  EXPECT_TRUE(parser.TakeExpectContinue());
  EXPECT_FALSE(parser.TakeExpectContinue());
}

TEST(LargeBody, IsTakenOnItsPathOnly) {
  const auto announce = [](const std::string& path, std::size_t length) {
    RequestParser parser(kHeaderMax, kBodyMax, {"/large", 1000});
    Input input;
    input.Add("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) +
              "\r\n\r\n");
    const State state = parser.Feed(input.buffer);
    if (state == State::kRefused) return parser.refusal().status;
    EXPECT_EQ(parser.large_body(), length > kBodyMax) << length;
    return 0;
  };
  EXPECT_EQ(announce("/large", 100), 0);
  EXPECT_EQ(announce("/large", 1000), 0);
  EXPECT_EQ(announce("/large?a=b", 1000), 0);
  EXPECT_EQ(announce("/large", 1001), 413);
  EXPECT_EQ(announce("/other", 101), 413);
  EXPECT_EQ(announce("/large/", 101), 413);
}

}  // namespace
}  // namespace postern::http
