#include "portal/web/assets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "portal/web/security_headers.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string FieldOf(const http::Response& response, std::string_view name) {
  for (const auto& [field, value] : response.fields) {
    if (field == name) return value;
  }
  return "";
}

class AssetsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "postern-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (const char* file :
         {"bootstrap.css", "portal.css", "uplot.css", "htmx.js", "portal.js", "uplot.js"}) {
      Write(file, std::string("content of ") + file);
    }
    Write("portal.css.gz", "zipped");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  http::Response Get(const Assets& assets, const std::string& path, const std::string& encoding) {
    http::Request request;
    request.path = path;
    if (!encoding.empty()) request.fields.emplace_back("accept-encoding", encoding);
    return assets.Answer(request);
  }
  std::filesystem::path folder_;
};

TEST_F(AssetsTest, AddressesChangeWithTheContent) {
  const auto first = Assets::Load(folder_.string());
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string before = (*first)->Url("portal.css");
  Write("portal.css", "other");
  const auto second = Assets::Load(folder_.string());
  ASSERT_TRUE(second.ok());
  EXPECT_NE((*second)->Url("portal.css"), before);
  EXPECT_EQ((*second)->Url("htmx.js"), (*first)->Url("htmx.js"));
  EXPECT_EQ(Get(**second, before, "").status, 404);
}

TEST_F(AssetsTest, AreKeptForAYearAndCompressed) {
  const auto assets = *Assets::Load(folder_.string());
  const std::string url = assets->Url("portal.css");
  const http::Response plain = Get(*assets, url, "");
  EXPECT_EQ(plain.body, "content of portal.css");
  EXPECT_EQ(FieldOf(plain, "Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_THAT(plain.content_type, HasSubstr("text/css"));
  const http::Response zipped = Get(*assets, url, "br, gzip");
  EXPECT_EQ(zipped.body, "zipped");
  EXPECT_EQ(FieldOf(zipped, "Content-Encoding"), "gzip");
  EXPECT_EQ(FieldOf(zipped, "Vary"), "Accept-Encoding");
}

TEST_F(AssetsTest, NothingElseIsServed) {
  const auto assets = *Assets::Load(folder_.string());
  for (const char* path : {"/assets/", "/assets/portal.css", "/assets/../portal.css",
                           "/assets/0000000000000000/portal.css"}) {
    EXPECT_EQ(Get(*assets, path, "").status, 404) << path;
  }
  std::filesystem::remove(folder_ / "htmx.js");
  EXPECT_THAT(ToStd(Assets::Load(folder_.string()).status().message()), HasSubstr("htmx.js"));
}

TEST(SecurityHeaders, AllowNothingInline) {
  http::Response response;
  AddSecurityHeaders(response);
  const std::string policy = FieldOf(response, "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, HasSubstr("base-uri 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(policy, Not(HasSubstr("*")));
  EXPECT_EQ(FieldOf(response, "Cache-Control"), "no-store");
  EXPECT_EQ(FieldOf(response, "X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(FieldOf(response, "Strict-Transport-Security"), HasSubstr("max-age=31536000"));
}

}  // namespace
}  // namespace postern::portal
