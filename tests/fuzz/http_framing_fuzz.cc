// The edge's HTTP parser: whatever comes, and in whatever pieces it comes, the verdict is the same
// and the limits hold.

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "services/common/http/request_parser.h"
#include "tests/fuzz/fuzz.h"

namespace {

using postern::http::Request;
using postern::http::RequestParser;
using State = RequestParser::State;

constexpr std::size_t kHeaderBytes = 1024;
constexpr std::size_t kBodyBytes = 512;

struct Verdict {
  State state = State::kNeedMore;
  Request request;
  bool keep_alive = false;
  // Wants more, and has the empty line that ends a header before it.
  bool stuck = false;
};

// Which of several rules that it breaks refuses a request may depend on the pieces. Beast looks at
// a header that came in part only once it is whole: until then it waits where it could refuse.
bool Agree(const Verdict& pieces, const Verdict& whole) {
  if (pieces.state == State::kNeedMore && whole.state == State::kRefused) return !pieces.stuck;
  const auto key = [](const Verdict& one) {
    return std::tie(one.state, one.request.method, one.request.path, one.request.query,
                    one.request.fields, one.request.body, one.keep_alive);
  };
  return key(pieces) == key(whole);
}

// Feeds a connection `piece` bytes at a time; gives the verdicts on its requests, the last of which
// ends it or wants more.
std::vector<Verdict> Serve(std::string_view stream, std::size_t piece) {
  std::vector<Verdict> verdicts;
  boost::beast::flat_buffer buffer;
  while (true) {
    RequestParser parser(kHeaderBytes, kBodyBytes);
    State state = parser.Feed(buffer);
    while (state == State::kNeedMore && !stream.empty()) {
      const std::string_view next = postern::fuzz::Take(stream, piece);
      buffer.commit(boost::asio::buffer_copy(buffer.prepare(next.size()),
                                             boost::asio::buffer(next.data(), next.size())));
      state = parser.Feed(buffer);
    }
    const std::string_view rest(static_cast<const char*>(buffer.data().data()), buffer.size());
    Verdict verdict{state, {}, false, rest.find("\r\n\r\n") != rest.npos};
    if (state == State::kRefused) {
      const int status = parser.refusal().status;
      FUZZ_REQUIRE(status >= 400 && status < 600);
    }
    if (state == State::kComplete) {
      verdict.keep_alive = parser.keep_alive();
      verdict.request = std::move(parser.request());
      FUZZ_REQUIRE(verdict.request.body.size() <= kBodyBytes);
      FUZZ_REQUIRE(!verdict.request.method.empty());
    }
    verdicts.push_back(std::move(verdict));
    if (state != State::kComplete || !verdicts.back().keep_alive) return verdicts;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = postern::fuzz::View(data, size);
  const std::size_t piece = postern::fuzz::TakeByte(input) % 32 + 1;
  const std::vector<Verdict> whole = Serve(input, std::max<std::size_t>(input.size(), 1));
  const std::vector<Verdict> pieces = Serve(input, piece);
  FUZZ_REQUIRE(std::equal(pieces.begin(), pieces.end(), whole.begin(), whole.end(), Agree));
  return 0;
}
