#include "portal/web/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "portal/web/limits.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using ::testing::HasSubstr;

std::vector<crypto::Secret> Keys(std::initializer_list<char> letters) {
  std::vector<crypto::Secret> keys;
  for (const char letter : letters) keys.emplace_back(std::string(32, letter));
  return keys;
}

Session Example() {
  Session session;
  session.id = std::string("\0\xff raw bytes 12", 16);
  session.access_token = std::string(520, 'a');
  session.access_expires_at_us = 1'764'000'000'000'000;
  session.refresh_token = std::string(64, 'r');
  session.refresh_expires_at_us = 1'764'100'000'000'000;
  session.user_id = "42";
  session.name = "Ada \"<>& Łovelace";
  session.admin = true;
  return session;
}

TEST(SessionSealer, OpensWhatItSealed) {
  SessionSealer sealer(Keys({'a'}));
  const Session given = Example();
  const std::string cookie = sealer.Seal(given);
  EXPECT_LT(cookie.size(), kCookieBytesMax);
  EXPECT_EQ(cookie.find(given.refresh_token), std::string::npos);
  const std::optional<Session> found = sealer.Open(cookie);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, given.id);
  EXPECT_EQ(found->access_token, given.access_token);
  EXPECT_EQ(found->refresh_token, given.refresh_token);
  EXPECT_EQ(found->refresh_expires_at_us, given.refresh_expires_at_us);
  EXPECT_EQ(found->name, given.name);
  EXPECT_TRUE(found->admin);
  EXPECT_FALSE(found->password_change_required);
}

TEST(SessionSealer, OpensNothingElse) {
  SessionSealer sealer(Keys({'a'}));
  std::string cookie = sealer.Seal(Example());
  EXPECT_FALSE(SessionSealer(Keys({'b'})).Open(cookie).has_value()) << "another key";
  EXPECT_FALSE(sealer.Open("").has_value());
  EXPECT_FALSE(sealer.Open("not base64url!").has_value());
  EXPECT_FALSE(sealer.Open(std::string(kCookieBytesMax + 4, 'A')).has_value());
  EXPECT_FALSE(sealer.Open(cookie.substr(0, cookie.size() / 2)).has_value());
  cookie[cookie.size() / 2] = cookie[cookie.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(sealer.Open(cookie).has_value()) << "altered";
}

TEST(SessionSealer, KeysCanBeChangedWhilePeopleWork) {
  const std::string before = SessionSealer(Keys({'a'})).Seal(Example());
  SessionSealer both(Keys({'b', 'a'}));
  EXPECT_TRUE(both.Open(before).has_value());
  EXPECT_TRUE(SessionSealer(Keys({'b'})).Open(both.Seal(Example())).has_value());
}

class PortalKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "postern-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& text, mode_t mode = 0600) {
    const std::string path = (folder_ / "key").string();
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::filesystem::path folder_;
};

TEST_F(PortalKeys, AreLinesOfHexadecimalDigits) {
  const std::string line(64, 'a');
  const auto one = ReadPortalKeys(Write(line + "\n"));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->size(), 1u);
  const auto two = ReadPortalKeys(Write(line + "\n" + std::string(64, 'b') + "\n"));
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->size(), 2u);
  EXPECT_NE(two->front().view(), two->back().view());
}

TEST_F(PortalKeys, SayWhatIsWrongWithTheFile) {
  const std::string line(64, 'a');
  for (const std::string& text : {std::string(), std::string("short\n"), line + "\n\n" + line,
                                  line + "\n" + line + "\n" + line + "\n" + line + "\n" + line}) {
    const auto keys = ReadPortalKeys(Write(text));
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_THAT(ToStd(keys.status().message()), HasSubstr("openssl rand -hex 32"));
  }
  EXPECT_THAT(ToStd(ReadPortalKeys(Write(line, 0644)).status().message()), HasSubstr("chmod 600"));
  EXPECT_TRUE(absl::IsNotFound(ReadPortalKeys((folder_ / "none").string()).status()));
}

}  // namespace
}  // namespace postern::portal
