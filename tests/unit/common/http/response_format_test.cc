#include "services/common/http/response_format.h"

#include <gtest/gtest.h>

namespace postern::http {
namespace {

constexpr std::int64_t kNow = 1'795'000'000'123'456;

TEST(DateFieldTest, IsAnImfFixdateOfTheSecond) {
  DateField date;
  EXPECT_EQ(date.At(784'111'777'000'000), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date.At(784'111'777'999'999), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date.At(784'111'778'000'000), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
}

class FormatAnswerTest : public ::testing::Test {
 protected:
  std::string Format(AnswerOptions options) {
    std::string out = "left over";
    EXPECT_TRUE(FormatAnswer(response_, options, "Date: D\r\n", out));
    return out;
  }

  Response response_;
};

TEST_F(FormatAnswerTest, IsOneText) {
  response_.status = 202;
  response_.body = "{}";
  response_.fields.emplace_back("Location", "/a");
  EXPECT_EQ(Format({}),
            "HTTP/1.1 202 Accepted\r\nDate: D\r\nContent-Type: application/json\r\n"
            "Location: /a\r\nContent-Length: 2\r\n\r\n{}");
}

TEST_F(FormatAnswerTest, HeadHasTheLengthButNoBody) {
  response_.body = "{}";
  AnswerOptions options;
  options.head = true;
  options.close = true;
  EXPECT_EQ(Format(options),
            "HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\n\r\n");
}

TEST_F(FormatAnswerTest, NoContentHasNeitherLengthNorBody) {
  response_.status = 204;
  EXPECT_EQ(Format({}), "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n");
}

TEST_F(FormatAnswerTest, LineBreaksInFieldsAreRefused) {
  DateField date;
  std::string out;
  for (const std::string& bad : {std::string("a\r\nX: b"), std::string("a\nb"), std::string("a\rb"),
                                 std::string("a\0b", 3)}) {
    Response response;
    response.fields.emplace_back("Location", bad);
    EXPECT_FALSE(FormatAnswer(response, {}, date.At(kNow), out));
    response.fields.clear();
    response.body = "x";
    response.content_type = bad;
    EXPECT_FALSE(FormatAnswer(response, {}, date.At(kNow), out));
  }
}

}  // namespace
}  // namespace postern::http
