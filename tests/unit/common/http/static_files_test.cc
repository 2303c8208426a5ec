#include "services/common/http/static_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace postern::http {
namespace {

class StaticFilesTest : public testing::Test {
 protected:
  StaticFilesTest() {
    std::string pattern = testing::TempDir() + "static_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~StaticFilesTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::string folder_;
};

TEST_F(StaticFilesTest, ServesWhatItKnowsUnderItsName) {
  Write("index.html", "<p>");
  Write("api.yaml", "a: 1");
  Write("more/index.html", "<b>");
  Write("secret.key", "no");
  const auto files = StaticFiles::Read(folder_);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->size(), 3U);
  EXPECT_EQ(files->Find("")->body, "<p>");
  EXPECT_EQ(files->Find("more/")->body, "<b>");
  EXPECT_EQ(files->Find("api.yaml")->content_type, "application/yaml");
  for (const char* other : {"secret.key", "../static", "/api.yaml", "more", "index"}) {
    EXPECT_EQ(files->Find(other), nullptr) << other;
  }
}

TEST_F(StaticFilesTest, RefusesWhatIsTooLargeOrNotThere) {
  EXPECT_EQ(StaticFiles::Read(folder_ + "/none").status().code(), absl::StatusCode::kNotFound);
  Write("large.js", std::string(17 * 1024 * 1024, 'x'));
  EXPECT_EQ(StaticFiles::Read(folder_).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace postern::http
