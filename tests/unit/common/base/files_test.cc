#include "services/common/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "services/common/base/strings.h"

namespace postern {
namespace {

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string pattern = testing::TempDir() + "files_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  std::string Make(const std::string& name, const std::string& content, mode_t mode) {
    const std::string path = StrCat(folder_, "/", name);
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::string folder_;
};

TEST_F(FilesTest, ReadsASecretAndTakesOneNewlineOff) {
  EXPECT_EQ(*ReadSecretFile(Make("password", "s3cret\n\n", 0600)), "s3cret\n");
  EXPECT_EQ(*ReadSecretFile(Make("plain", "s3cret", 0400)), "s3cret");
}

TEST_F(FilesTest, RefusesASecretThatOthersMayReadAndSaysHowToFixIt) {
  for (const mode_t mode : {0640, 0604, 0660, 0644}) {
    const std::string path = Make("open", "s3cret", mode);
    const auto secret = ReadSecretFile(path);
    EXPECT_EQ(secret.status().code(), absl::StatusCode::kFailedPrecondition);
    const std::string message(ToStd(secret.status().message()));
    EXPECT_THAT(message, testing::HasSubstr("chmod 600 " + path));
    EXPECT_THAT(message, testing::Not(testing::HasSubstr("s3cret")));
  }
}

TEST_F(FilesTest, TakesACredentialOfSystemdWhoseAclShowsAsGroupBits) {
  const std::string path = Make("credential", "s3cret", 0440);
  ASSERT_FALSE(ReadSecretFile(path).ok());
  ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_TRUE(ReadSecretFile(path).ok());
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(FilesTest, NamesTheFileThatIsNotThere) {
  const auto content = ReadFile(folder_ + "/none");
  EXPECT_EQ(content.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ToStd(content.status().message())),
              testing::HasSubstr(folder_ + "/none"));
  EXPECT_FALSE(ReadFile(folder_).ok());
}

TEST_F(FilesTest, ReplacesAFileWholeAndPrivate) {
  const std::string path = Make("target", "old", 0644);
  const std::string content(100'000, 'x');
  ASSERT_TRUE(WriteFileAtomically(path, content).ok());
  EXPECT_EQ(*ReadSecretFile(path), content);
  const auto files = std::filesystem::directory_iterator(folder_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "a temporary file was left behind";
}

TEST_F(FilesTest, WritingIntoNoFolderLeavesNothing) {
  EXPECT_EQ(WriteFileAtomically(folder_ + "/none/file", "x").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace postern
