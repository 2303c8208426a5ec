#include "services/common/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "services/common/base/files.h"

namespace postern::log {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

std::string Field(std::string_view value) {
  std::string out;
  AppendField(out, "key", value);
  return out;
}

TEST(LogFieldTest, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(Field("127.0.0.1:6380"), " key=127.0.0.1:6380");
  EXPECT_EQ(Field(""), " key=\"\"");
  EXPECT_EQ(Field("two words"), " key=\"two words\"");
  EXPECT_EQ(Field("a=b"), " key=\"a=b\"");
  EXPECT_EQ(Field("say \"hi\" \\"), " key=\"say \\\"hi\\\" \\\\\"");
}

TEST(LogFieldTest, AValueCannotForgeALineOrDriveATerminal) {
  EXPECT_EQ(Field("x\n2026 error edge forged"), " key=\"x\\n2026 error edge forged\"");
  EXPECT_EQ(Field("\x1b[31m\r\t"), " key=\"\\x1b[31m\\r\\t\"");
  EXPECT_EQ(Field("\xff\xc2\x85"), " key=\"\\xff\\xc2\\x85\"");
  EXPECT_EQ(Field(std::string_view("\0", 1)), " key=\"\\x00\"");
}

TEST(LogFieldTest, CutsWhatIsTooLong) { EXPECT_LT(Field(std::string(100'000, 'x')).size(), 1100u); }

TEST(LogTest, WritesLinesToTheFileOnceStopped) {
  std::string folder = testing::TempDir() + "log_test.XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  ASSERT_TRUE(Start({.program = "edge", .level = "info", .folder = folder}).ok());
  Info("queue_connected", "host", "127.0.0.1", "port", 6380, "view", std::string_view("v"));
  Debug("not_wanted");
  SetLevel(Level::kError);
  Warn("not_wanted_either");
  SetLevel(Level::kInfo);
  Stop();

  const auto file = std::filesystem::directory_iterator(folder)->path().string();
  EXPECT_THAT(std::filesystem::path(file).filename(),
              MatchesRegex("edge_[0-9]{4}-[0-9]{2}-[0-9]{2}\\.log"));
  const std::string text = *ReadFile(file);
  EXPECT_THAT(text,
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                           "info edge queue_connected host=127\\.0\\.0\\.1 port=6380 view=v\n"));
  EXPECT_THAT(text, Not(HasSubstr("not_wanted")));
  std::filesystem::remove_all(folder);
}

TEST(LogTest, RefusesAnUnknownLevelAndAFolderThatCannotBe) {
  EXPECT_EQ(Start({.program = "edge", .level = "loud", .folder = ""}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Start({.program = "edge", .level = "info", .folder = "/dev/null/logs"}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(LogTest, StartsAgainAfterAStop) {
  ASSERT_TRUE(Start({.program = "edge", .level = "warn", .folder = ""}).ok());
  Stop();
  ASSERT_TRUE(Start({.program = "edge", .level = "warn", .folder = ""}).ok());
  Stop();
  Stop();
}

TEST(RateLimitTest, LetsOneThroughAndCountsTheRest) {
  RateLimit limit(3'600'000);
  std::int64_t suppressed = -1;
  EXPECT_TRUE(limit.Allow(&suppressed));
  EXPECT_EQ(suppressed, 0);
  EXPECT_FALSE(limit.Allow());
  EXPECT_FALSE(limit.Allow());

  RateLimit always(0);
  EXPECT_TRUE(always.Allow());
  EXPECT_TRUE(always.Allow());
}

}  // namespace
}  // namespace postern::log
