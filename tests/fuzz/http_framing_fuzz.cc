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

// What one request was: status 0 for a complete one, -1 for one that wants more.
struct Verdict {
  int status = -1;
  Request request;
  bool keep_alive = false;

  bool operator==(const Verdict& other) const {
    const auto key = [](const Verdict& one) {
      return std::tie(one.status, one.request.method, one.request.path, one.request.query,
                      one.request.fields, one.request.body, one.keep_alive);
    };
    return key(*this) == key(other);
  }
};

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
    Verdict verdict;
    if (state == State::kRefused) verdict.status = parser.refusal().status;
    if (state == State::kComplete) {
      verdict.status = 0;
      verdict.keep_alive = parser.keep_alive();
      verdict.request = std::move(parser.request());
      FUZZ_REQUIRE(verdict.request.body.size() <= kBodyBytes);
      FUZZ_REQUIRE(!verdict.request.method.empty());
    }
    if (state == State::kRefused) FUZZ_REQUIRE(verdict.status >= 400 && verdict.status < 600);
    verdicts.push_back(std::move(verdict));
    if (state != State::kComplete || !verdicts.back().keep_alive) return verdicts;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = postern::fuzz::View(data, size);
  const std::size_t piece = postern::fuzz::TakeByte(input) % 32 + 1;
  const std::vector<Verdict> whole = Serve(input, std::max<std::size_t>(input.size(), 1));
  FUZZ_REQUIRE(Serve(input, piece) == whole);
  return 0;
}
