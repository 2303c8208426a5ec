#include "services/common/base/file_mark.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "services/common/base/files.h"

namespace postern {
namespace {

class FileMarkTest : public testing::Test {
 protected:
  FileMarkTest() {
    std::string pattern = testing::TempDir() + "file_mark_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/certificate.pem";
  }
  ~FileMarkTest() override { std::filesystem::remove_all(folder_); }

  // As if the file had been written in the tick that all others were written in.
  void SetTime() const {
    const std::array<timespec, 2> times = {timespec{1'700'000'000, 0}, timespec{1'700'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times.data(), 0), 0);
  }

  std::string folder_;
  std::string path_;
};

TEST_F(FileMarkTest, AFileInThePlaceOfAnotherIsTold) {
  EXPECT_EQ(MarkOf(path_), FileMark());
  ASSERT_TRUE(WriteFileAtomically(path_, "one").ok());
  SetTime();
  const FileMark first = MarkOf(path_);
  EXPECT_NE(first, FileMark());
  EXPECT_EQ(MarkOf(path_), first);
  ASSERT_TRUE(WriteFileAtomically(path_, "two").ok());
  SetTime();
  EXPECT_NE(MarkOf(path_), first);
}

TEST_F(FileMarkTest, AFileThatWasWrittenAnewIsTold) {
  ASSERT_TRUE(WriteFileAtomically(path_, "one").ok());
  SetTime();
  const FileMark first = MarkOf(path_);
  std::ofstream(path_) << "two";
  EXPECT_NE(MarkOf(path_), first);
}

}  // namespace
}  // namespace postern
