#include "services/keys/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "services/common/base/strings.h"

namespace postern::keys {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kHexA(64, 'a');
const std::string kHexB(64, 'b');

std::string Error(const std::string& text) {
  const auto keys = ParseKeys("master.key", text);
  return keys.ok() ? "" : std::string(ToStd(keys.status().message()));
}

TEST(KeyFileTest, OneKeyAloneIsVersionOne) {
  const auto keys = ParseKeys("f", kHexA + "\n");
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->begin()->first, 1u);
  EXPECT_EQ(keys->begin()->second.view(), std::string(32, '\xaa'));
}

TEST(KeyFileTest, TakesVersionsCommentsAndBase64) {
  const auto keys = ParseKeys("f", "# rotated in May\n\n2:" + kHexB +
                                       "\n 10 : AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n");
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_EQ(keys->begin()->first, 2u);
  EXPECT_EQ(keys->rbegin()->first, 10u);
  EXPECT_EQ(keys->rbegin()->second.view()[31], '\x1f');
}

TEST(KeyFileTest, NamesTheLineAndNeverTheContent) {
  EXPECT_THAT(Error("1:" + kHexA + "\n2:abcd\n"), HasSubstr("master.key:2: a key is 64"));
  EXPECT_THAT(Error("1:" + kHexA.substr(1) + "g"), HasSubstr("master.key:1:"));
  EXPECT_THAT(Error("1:" + kHexA.substr(1) + "g"), Not(HasSubstr("aaaa")));
}

TEST(KeyFileTest, RefusesWhatCouldBeReadTwoWays) {
  EXPECT_THAT(Error(kHexA + "\n" + kHexB), HasSubstr(":2: several keys need a version"));
  EXPECT_THAT(Error("1:" + kHexA + "\n" + kHexB), HasSubstr(":2: several keys need a version"));
  EXPECT_THAT(Error(kHexA + "\n2:" + kHexB), HasSubstr(":2: several keys need a version"));
  EXPECT_THAT(Error("1:" + kHexA + "\n1:" + kHexB), HasSubstr(":2: version 1 is there twice"));
  EXPECT_THAT(Error("0:" + kHexA), HasSubstr(":1: the version is not"));
  EXPECT_THAT(Error("x:" + kHexA), HasSubstr(":1: the version is not"));
  EXPECT_THAT(Error("# nothing\n"), HasSubstr("openssl rand -hex 32"));
}

TEST(KeyFileTest, RefusesAFileThatOthersCanRead) {
  const std::string path = ::testing::TempDir() + "/key_file_test.key";
  std::ofstream(path) << kHexA;
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(ReadKeyFile(path).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  EXPECT_TRUE(ReadKeyFile(path).ok());
  std::filesystem::remove(path);
  EXPECT_EQ(ReadKeyFile(path).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace postern::keys
