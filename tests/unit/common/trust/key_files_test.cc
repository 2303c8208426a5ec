#include "services/common/trust/key_files.h"

#include <filesystem>

#include "services/common/pki/key.h"
#include "services/common/tls/key_pair.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/common/trust/trust_fixture.h"

namespace postern::trust {
namespace {

namespace fs = std::filesystem;

class KeyFilesTest : public TrustTest {
 protected:
  KeyFilesTest() {
    fs::copy_file(old_.certificate, files_.certificate);
    fs::copy_file(old_.key, files_.key);
    fs::permissions(files_.certificate, fs::perms(0644));
  }
  std::string Text(const std::string& path) { return ReadFile(path).value(); }

  test::TestCertificates ca_;
  const tls::Files old_ = ca_.Leaf("worker", "worker-1");
  const tls::Files new_ = ca_.Leaf("worker", "worker-1");
  const tls::Files files_{folder_ + "/own.pem", folder_ + "/own.key", ca_.ca_file()};
};

TEST_F(KeyFilesTest, ReplacesBothAndKeepsTheirModes) {
  ASSERT_TRUE(ReplaceKeyPair(files_, Text(new_.certificate), Text(new_.key)).ok());
  EXPECT_TRUE(tls::ReadKeyPair(files_).ok());
  EXPECT_EQ(Text(files_.certificate), Text(new_.certificate));
  EXPECT_EQ(fs::status(files_.certificate).permissions(), fs::perms(0644));
  EXPECT_EQ(fs::status(files_.key).permissions(), fs::perms(0600));
  EXPECT_FALSE(fs::exists(files_.key + ".next"));
}

TEST_F(KeyFilesTest, WhoeverIsKilledInBetweenFindsAPairAgain) {
  // Killed after the key was written aside: the old pair stands.
  ASSERT_TRUE(WriteFileAtomically(files_.key + ".next", Text(new_.key)).ok());
  ASSERT_TRUE(FinishReplacing(files_).ok());
  ASSERT_TRUE(tls::ReadKeyPair(files_).ok());
  EXPECT_EQ(Text(files_.key), Text(old_.key));
  EXPECT_FALSE(fs::exists(files_.key + ".next"));
  // Killed after the certificate was replaced: its key follows.
  ASSERT_TRUE(WriteFileAtomically(files_.key + ".next", Text(new_.key)).ok());
  ASSERT_TRUE(WriteFileAtomically(files_.certificate, Text(new_.certificate)).ok());
  EXPECT_FALSE(tls::ReadKeyPair(files_).ok());
  ASSERT_TRUE(FinishReplacing(files_).ok());
  EXPECT_TRUE(tls::ReadKeyPair(files_).ok());
  EXPECT_EQ(Text(files_.key), Text(new_.key));
}

TEST_F(KeyFilesTest, APairThatDoesNotBelongTogetherIsNamed) {
  ASSERT_TRUE(WriteFileAtomically(files_.key, Text(new_.key)).ok());
  const auto pair = tls::ReadKeyPair(files_);
  EXPECT_TRUE(absl::IsFailedPrecondition(pair.status()));
  EXPECT_NE(std::string(pair.status().message()).find("own.key does not belong"),
            std::string::npos);
  ASSERT_TRUE(FinishReplacing(files_).ok()) << "nothing was begun";
}

}  // namespace
}  // namespace postern::trust
