#include "edge_proxy/json_scanner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace postern::edge {
namespace {

constexpr std::size_t kDeep = 64;

// Builds the document again, so that it can be held against another parser's.
class Rebuild final : public JsonHandler {
 public:
  void OnNull() override { Put(nullptr); }
  void OnBoolean(bool value) override { Put(value); }
  void OnNumber(std::string_view text) override {
    nlohmann::json number = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    // The reference takes no number that does not fit a double.
    if (number.is_discarded()) huge_number_ = true;
    Put(std::move(number));
  }
  void OnString(std::string_view value) override { Put(std::string(value)); }
  void OnKey(std::string_view name) override { keys_.back() = name; }
  void OnStartObject() override { Open(nlohmann::json::object()); }
  void OnStartArray() override { Open(nlohmann::json::array()); }
  void OnEnd() override {
    nlohmann::json done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    Put(std::move(done));
  }
  const nlohmann::json& result() const { return result_; }
  bool huge_number() const { return huge_number_; }

 private:
  void Open(nlohmann::json container) {
    open_.push_back(std::move(container));
    keys_.emplace_back();
  }
  void Put(nlohmann::json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().push_back(std::move(value));
    } else {
      open_.back()[keys_.back()] = std::move(value);
    }
  }
  std::vector<nlohmann::json> open_;
  std::vector<std::string> keys_;
  nlohmann::json result_;
  bool huge_number_ = false;
};

JsonFault Scan(std::string_view text, std::size_t depth = kDeep) {
  Rebuild handler;
  return ScanJson(text, depth, handler);
}

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> seeds{
      R"({"sender_number":"+14155550123","message_body":"hi","metadata":{"a":1.5e-3,"b":true}})",
      R"([1,-0,0.5,1e10,-12.25E+2,null,false,"\u00e4\ud83d\ude00\n\"\\\/\b\f\r\t",{},[],[[{"a":[]}]]])",
      "{\"\xC3\xA4\":\"\xE2\x82\xAC\xF0\x9F\x98\x80\"}",
      "  \t\r\n\"x\"  ",
      "{\"a\":{\"b\":{\"c\":[true,{\"d\":\"\\u0000\"}]}},\"a\":2}",
  };
  return seeds;
}

TEST(JsonScanner, ReadsWhatTheReferenceReads) {
  for (const std::string& seed : Seeds()) {
    Rebuild handler;
    ASSERT_EQ(ScanJson(seed, kDeep, handler).kind, JsonFault::Kind::kNone) << seed;
    EXPECT_EQ(handler.result(), nlohmann::json::parse(seed)) << seed;
  }
}

// Damages valid texts at random, with a fixed seed: both parsers must agree on what is JSON.
TEST(JsonScanner, AgreesWithTheReferenceOnDamagedTexts) {
  std::mt19937 random(20'261'122);
  static constexpr std::string_view kBytes =
      "{}[]\",:\\u0123dDeE+-.tfn 89abc\x80\xBF\xC3\xE2\xED\xF0\xF4\x01\t\n/x";
  int valid = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = Seeds()[random() % Seeds().size()];
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      const char byte = kBytes[random() % kBytes.size()];
      switch (random() % 4) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        case 2:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          text.resize(at + 1);
      }
      if (text.empty()) text = "0";
    }
    Rebuild handler;
    const bool ours = ScanJson(text, kDeep, handler).kind == JsonFault::Kind::kNone;
    // The reference skips a byte order mark, which no edit here can make.
    const auto reference = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (handler.huge_number()) continue;
    ASSERT_EQ(ours, !reference.is_discarded()) << text;
    if (!ours) continue;
    ++valid;
    ASSERT_EQ(handler.result(), reference) << text;
  }
  EXPECT_GT(valid, 500) << "the damage is too great to compare anything";
}

TEST(JsonScanner, SaysWhereAndWhy) {
  struct Case {
    std::string text;
    JsonFault::Kind kind;
    std::size_t offset;
  };
  using Kind = JsonFault::Kind;
  for (const Case& test : std::vector<Case>{
           {"", Kind::kEndOfText, 0},
           {"{\"a\":", Kind::kEndOfText, 5},
           {"\"abc", Kind::kEndOfText, 4},
           {"tru", Kind::kEndOfText, 3},
           {"{a:1}", Kind::kSyntax, 1},
           {"[1,]", Kind::kSyntax, 3},
           {"01", Kind::kSyntax, 1},
           {"1 2", Kind::kSyntax, 2},
           {"\"a\nb\"", Kind::kSyntax, 2},
           {"\"\\x\"", Kind::kSyntax, 2},
           {"\"\\u12g4\"", Kind::kSyntax, 5},
           {"\"a\xFF\"", Kind::kInvalidUtf8, 2},
           {"\"\\ud800x\"", Kind::kLoneSurrogate, 3},
           {"\"\\ud800\\u0041\"", Kind::kLoneSurrogate, 3},
           {"\xEF\xBB\xBF{}", Kind::kSyntax, 0},
       }) {
    const JsonFault fault = Scan(test.text);
    EXPECT_EQ(fault.kind, test.kind) << test.text;
    EXPECT_EQ(fault.offset, test.offset) << test.text;
  }
}

TEST(JsonScanner, BoundsTheDepth) {
  EXPECT_EQ(Scan("[[[]]]", 3).kind, JsonFault::Kind::kNone);
  EXPECT_EQ(Scan("[[[[]]]]", 3).kind, JsonFault::Kind::kTooDeep);
  EXPECT_EQ(Scan("[{\"a\":{\"b\":[]}}]", 3).kind, JsonFault::Kind::kTooDeep);
  EXPECT_EQ(Scan(std::string(1'000'000, '['), 8).kind, JsonFault::Kind::kTooDeep);
}

}  // namespace
}  // namespace postern::edge
