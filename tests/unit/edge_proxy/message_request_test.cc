#include "edge_proxy/message_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "edge_proxy/limits.h"

namespace postern::edge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char kClient[] = "acme";
constexpr char kNumber[] = "+14155550123";

// `pointer code` of each violation.
std::vector<std::string> Faults(const ParsedMessage& parsed) {
  std::vector<std::string> faults;
  if (!parsed.problem.has_value()) return faults;
  for (const Violation& violation : parsed.problem->errors) {
    faults.push_back(violation.pointer + " " + violation.code);
  }
  return faults;
}

std::string WithBody(const std::string& json_string) {
  return R"({"sender_number":"+14155550123","message_body":)" + json_string + "}";
}

std::string WithMetadata(const std::string& metadata) {
  return R"({"sender_number":"+14155550123","message_body":"hi","metadata":)" + metadata + "}";
}

std::string Repeat(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(MessageRequest, TakesAMessageWithMetadata) {
  const ParsedMessage parsed = ParseMessageRequest(
      WithMetadata(R"({ "client_id" : "acme", "client_ref":"order-42", "n": 1.50, "i": -7,
                       "yes": true, "timestamp":"2026-11-22T03:24:58+01:00" })"),
      kClient);
  ASSERT_FALSE(parsed.problem.has_value()) << parsed.problem->detail;
  EXPECT_EQ(parsed.request.sender_number, kNumber);
  EXPECT_EQ(parsed.request.message_body, "hi");
  EXPECT_EQ(parsed.request.client_ref, "order-42");
  EXPECT_EQ(parsed.request.metadata_json,
            R"({"client_id":"acme","client_ref":"order-42","n":1.50,"i":-7,"yes":true,)"
            R"("timestamp":"2026-11-22T03:24:58+01:00"})");
}

TEST(MessageRequest, TakesWhatIsAllowedAtTheEdges) {
  const std::vector<std::string> bodies{
      WithBody("\"x\""),
      WithBody('"' + Repeat("x", 1000) + '"'),
      WithBody('"' + Repeat("\xF0\x9F\x98\x80", 1000) + '"'),
      WithBody('"' + Repeat("\\ud83d\\ude00", 1000) + '"'),
      WithBody("\"line\\nbreak\\ttab \\u0001\""),
      WithBody("\"e\xCC\x81\""),
      WithMetadata("{}"),
      WithMetadata(R"({"client_ref":""})"),
      WithMetadata("{\"client_ref\":\"" + Repeat("~", 64) + "\"}"),
      "\r\n\t " + WithBody("\"x\"") + "\n",
      R"({"sender_number":"+2904123","message_body":"x"})",
      R"({"sender_number":"+123456789012345","message_body":"x"})",
      R"({"sender\u005fnumber":"+14155550123","message_body":"x"})",
  };
  for (const std::string& body : bodies) {
    const ParsedMessage parsed = ParseMessageRequest(body, kClient);
    EXPECT_FALSE(parsed.problem.has_value())
        << body.substr(0, 120) << ": " << parsed.problem->detail;
  }
}

struct MalformedCase {
  const char* name;
  std::string body;
  const char* detail;  // Part of the problem's detail.
};

TEST(MessageRequest, RefusesWhatIsNotJson) {
  const std::vector<MalformedCase> cases{
      {"empty", "", "ends too early"},
      {"blank", "  ", "ends too early"},
      {"cut", R"({"sender_number":"+1415)", "byte"},
      {"cut after comma", R"({"sender_number":"+14155550123",)", "byte"},
      {"trailing comma", R"({"sender_number":"+14155550123",})", "byte 32,"},
      {"two documents", WithBody("\"x\"") + "{}", "byte"},
      {"single quotes", "{'sender_number':'+14155550123'}", "byte 1,"},
      {"comment", "/* x */" + WithBody("\"x\""), "byte 0,"},
      {"NaN", WithMetadata(R"({"n":NaN})"), "byte"},
      {"leading zero", WithMetadata(R"({"n":01})"), "byte"},
      {"byte order mark", "\xEF\xBB\xBF" + WithBody("\"x\""), "byte 0,"},
      {"raw control character", WithBody("\"a\nb\""), "byte"},
      {"raw NUL", WithBody(std::string("\"a\0b\"", 5)), "byte"},
      {"stray continuation", WithBody("\"\x80\""), "not valid UTF-8"},
      {"overlong", WithBody("\"\xC0\xAF\""), "not valid UTF-8"},
      {"overlong NUL", WithBody("\"\xC0\x80\""), "not valid UTF-8"},
      {"encoded surrogate", WithBody("\"\xED\xA0\x80\""), "not valid UTF-8"},
      {"past U+10FFFF", WithBody("\"\xF4\x90\x80\x80\""), "not valid UTF-8"},
      {"cut sequence", WithBody("\"\xE2\x82\""), "not valid UTF-8"},
      {"Latin-1", WithBody("\"caf\xE9\""), "not valid UTF-8"},
      {"high surrogate alone", WithBody(R"("\ud83d")"), "surrogate"},
      {"low surrogate alone", WithBody(R"("\ude00")"), "surrogate"},
      {"surrogates swapped", WithBody(R"("\ude00\ud83d")"), "surrogate"},
      {"UTF-16", std::string("{\0\"\0", 4), "byte 1,"},
      {"too deep", Repeat("[", 9) + Repeat("]", 9), "nested too deep"},
      {"very deep", Repeat("[", 60'000), "nested too deep"},
      {"deep in metadata", WithMetadata("{\"a\":" + Repeat("{\"b\":", 20) + "1" + Repeat("}", 21)),
       "nested too deep"},
  };
  for (const MalformedCase& test : cases) {
    const ParsedMessage parsed = ParseMessageRequest(test.body, kClient);
    ASSERT_TRUE(parsed.problem.has_value()) << test.name;
    EXPECT_EQ(parsed.problem->code, ProblemCode::kMalformedJson) << test.name;
    EXPECT_THAT(parsed.problem->detail, testing::HasSubstr(test.detail)) << test.name;
    EXPECT_THAT(parsed.problem->errors, IsEmpty()) << test.name;
  }
}

struct InvalidCase {
  const char* name;
  std::string body;
  std::vector<std::string> faults;
};

class InvalidMessage : public testing::TestWithParam<InvalidCase> {};

TEST_P(InvalidMessage, IsRefusedWithPointerAndCode) {
  const ParsedMessage parsed = ParseMessageRequest(GetParam().body, kClient);
  ASSERT_TRUE(parsed.problem.has_value());
  EXPECT_EQ(parsed.problem->code, ProblemCode::kValidationFailed);
  EXPECT_THAT(Faults(parsed), testing::ElementsAreArray(GetParam().faults));
}

std::string CaseName(const testing::TestParamInfo<InvalidCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Shape, InvalidMessage,
    testing::Values(
        InvalidCase{"Nothing", "{}", {"/sender_number required", "/message_body required"}},
        InvalidCase{"Array", "[]", {" wrong-type"}},
        InvalidCase{"ArrayWithMembers", R"([{"sender_number":1}])", {" wrong-type"}},
        InvalidCase{"String", "\"x\"", {" wrong-type"}},
        InvalidCase{"Null", "null", {" wrong-type"}}, InvalidCase{"Number", "12", {" wrong-type"}},
        InvalidCase{"NumbersForStrings",
                    R"({"sender_number":14155550123,"message_body":1.5})",
                    {"/sender_number wrong-type", "/message_body wrong-type"}},
        InvalidCase{
            "NullMembers",
            R"({"sender_number":null,"message_body":null,"metadata":null})",
            {"/sender_number wrong-type", "/message_body wrong-type", "/metadata wrong-type"}},
        InvalidCase{
            "Containers",
            R"({"sender_number":["+14155550123"],"message_body":{"a":1},"metadata":[]})",
            {"/sender_number wrong-type", "/message_body wrong-type", "/metadata wrong-type"}},
        InvalidCase{"MetadataString", WithMetadata("\"x\""), {"/metadata wrong-type"}},
        InvalidCase{"UnknownMember",
                    R"({"sender_number":"+14155550123","message_body":"x","priority":{"a":[1]}})",
                    {"/priority unknown-member"}},
        InvalidCase{"UnknownMemberEscaped",
                    R"({"sender_number":"+14155550123","message_body":"x","a/b~c":1})",
                    {"/a~1b~0c unknown-member"}},
        InvalidCase{"CaseMatters",
                    R"({"Sender_Number":"+14155550123","message_body":"x"})",
                    {"/Sender_Number unknown-member", "/sender_number required"}},
        InvalidCase{"DuplicateMember",
                    R"({"sender_number":"+14155550123","message_body":"x","message_body":"y"})",
                    {"/message_body duplicate-member"}},
        InvalidCase{
            "DuplicateByEscape",
            R"({"sender_number":"+14155550123","message_body":"x","message\u005fbody":"y"})",
            {"/message_body duplicate-member"}},
        InvalidCase{"DuplicateMetadata",
                    R"({"sender_number":"+14155550123","message_body":"x","metadata":{},)"
                    R"("metadata":{"a":null}})",
                    {"/metadata duplicate-member"}},
        InvalidCase{"EverythingAtOnce",
                    R"({"sender_number":"0","message_body":"","metadata":{"client_id":"other",)"
                    R"("timestamp":"today"},"x":1})",
                    {"/sender_number invalid-sender", "/message_body text-empty",
                     "/metadata/client_id client-mismatch", "/metadata/timestamp invalid-timestamp",
                     "/x unknown-member"}}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Text, InvalidMessage,
    testing::Values(
        InvalidCase{"Empty", WithBody("\"\""), {"/message_body text-empty"}},
        InvalidCase{
            "TooLong", WithBody('"' + Repeat("x", 1001) + '"'), {"/message_body text-too-long"}},
        InvalidCase{"TooLongInCodePoints",
                    WithBody('"' + Repeat("\xF0\x9F\x98\x80", 1001) + '"'),
                    {"/message_body text-too-long"}},
        InvalidCase{"TooLongEscaped",
                    WithBody('"' + Repeat("\\ud83d\\ude00", 1001) + '"'),
                    {"/message_body text-too-long"}},
        InvalidCase{"EscapedNul", WithBody(R"("a\u0000b")"), {"/message_body nul-character"}}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Metadata, InvalidMessage,
    testing::Values(
        InvalidCase{"OtherClient",
                    WithMetadata(R"({"client_id":"ACME"})"),
                    {"/metadata/client_id client-mismatch"}},
        InvalidCase{"ClientIdNumber",
                    WithMetadata(R"({"client_id":1})"),
                    {"/metadata/client_id wrong-type"}},
        InvalidCase{"TimestampWithoutOffset",
                    WithMetadata(R"({"timestamp":"2026-11-22T03:24:58"})"),
                    {"/metadata/timestamp invalid-timestamp"}},
        InvalidCase{"TimestampImpossible",
                    WithMetadata(R"({"timestamp":"2026-02-30T03:24:58Z"})"),
                    {"/metadata/timestamp invalid-timestamp"}},
        InvalidCase{"TimestampNumber",
                    WithMetadata(R"({"timestamp":1700000000})"),
                    {"/metadata/timestamp wrong-type"}},
        InvalidCase{"ClientRefWithBlank",
                    WithMetadata(R"({"client_ref":"a b"})"),
                    {"/metadata/client_ref invalid-client-ref"}},
        InvalidCase{"ClientRefTooLong",
                    WithMetadata("{\"client_ref\":\"" + Repeat("x", 65) + "\"}"),
                    {"/metadata/client_ref invalid-client-ref"}},
        InvalidCase{"ClientRefUmlaut",
                    WithMetadata("{\"client_ref\":\"\xC3\xA4\"}"),
                    {"/metadata/client_ref invalid-client-ref"}},
        InvalidCase{"NullValue",
                    WithMetadata(R"({"a":null,"b":[1,{"c":2}],"d":{"e":[]}})"),
                    {"/metadata/a wrong-type", "/metadata/b wrong-type", "/metadata/d wrong-type"}},
        InvalidCase{
            "Duplicate", WithMetadata(R"({"a":1,"a":2})"), {"/metadata/a duplicate-member"}},
        InvalidCase{"NulInValue", WithMetadata(R"({"a":"\u0000"})"), {"/metadata/a nul-character"}},
        InvalidCase{"NulInName", WithMetadata(R"({"\u0000":1})"), {"/metadata nul-character"}},
        InvalidCase{"NameTooLong",
                    WithMetadata("{\"" + Repeat("n", 65) + "\":1}"),
                    {"/metadata name-too-long"}},
        InvalidCase{"HugeNumber",
                    WithMetadata(R"({"n":-1e999,"m":1e308})"),
                    {"/metadata/n number-out-of-range"}},
        InvalidCase{"TooLarge",
                    WithMetadata("{\"a\":\"" + Repeat("x", 2041) + "\"}"),
                    {"/metadata too-large"}}),
    CaseName);

TEST(MessageRequest, AllowsSixteenMembersAndTwoKibibytesOfMetadata) {
  std::string sixteen = "{";
  for (int i = 0; i < 16; ++i) sixteen += (i ? ",\"m" : "\"m") + std::to_string(i) + "\":1";
  EXPECT_THAT(Faults(ParseMessageRequest(WithMetadata(sixteen + "}"), kClient)), IsEmpty());
  EXPECT_THAT(Faults(ParseMessageRequest(WithMetadata(sixteen + R"(,"m16":1})"), kClient)),
              ElementsAre("/metadata too-many-members"));
  EXPECT_THAT(
      Faults(ParseMessageRequest(WithMetadata("{\"a\":\"" + Repeat("x", 2040) + "\"}"), kClient)),
      IsEmpty());
}

TEST(MessageRequest, RefusesBadNumbers) {
  for (const char* number : {"", "+", "14155550123", "+0155550123", "+1415555", "+141555",
                             "+1234567890123456", "+1 4155550123", " +14155550123", "+14155550123 ",
                             "+1415555012a", "++14155550123", "+1-415-555-0123", "0014155550123",
                             "+\xD9\xA1\xD9\xA2\xD9\xA3\xD9\xA4\xD9\xA5\xD9\xA6\xD9\xA7"}) {
    const std::string body =
        std::string(R"({"message_body":"x","sender_number":")") + number + "\"}";
    const bool seven_digits = std::string(number) == "+1415555";
    EXPECT_EQ(Faults(ParseMessageRequest(body, kClient)).size(), seven_digits ? 0U : 1U) << number;
  }
}

TEST(MessageRequest, NeverRepeatsValues) {
  const ParsedMessage parsed = ParseMessageRequest(
      R"({"sender_number":"4915112345678","message_body":"sec\u0000ret","metadata":)"
      R"({"client_id":"private-name","client_ref":"a secret"}})",
      kClient);
  const http::Response response = ProblemResponse(*parsed.problem, "id");
  for (const char* value : {"4915112345678", "sec", "private-name", "a secret"}) {
    EXPECT_EQ(response.body.find(value), std::string::npos) << value;
  }
  const ParsedMessage cut = ParseMessageRequest(R"({"message_body":"my secret)", kClient);
  EXPECT_EQ(cut.problem->detail.find("secret"), std::string::npos);
}

TEST(MessageRequest, ListsABoundedNumberOfViolations) {
  std::string body = R"({"sender_number":"+14155550123","message_body":"x")";
  for (int i = 0; i < 2'000; ++i) body += ",\"u" + std::to_string(i) + "\":0";
  const ParsedMessage parsed = ParseMessageRequest(body + "}", kClient);
  EXPECT_EQ(parsed.problem->errors.size(), kViolationsMax);
  EXPECT_THAT(parsed.problem->detail, testing::HasSubstr("first 50"));
}

TEST(MediaType, IsJsonInUtf8) {
  for (const char* good : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json ; charset=\"UTF-8\""}) {
    EXPECT_TRUE(IsJsonMediaType(good)) << good;
  }
  for (const char* bad : {"", "text/plain", "application/json;charset=latin1", "application/jsonp",
                          "application/x-www-form-urlencoded", "application/json; a=b",
                          "application/json;charset=utf-8;charset=utf-8", "*/*"}) {
    EXPECT_FALSE(IsJsonMediaType(bad)) << bad;
  }
}

}  // namespace
}  // namespace postern::edge
