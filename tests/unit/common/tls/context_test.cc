#include "services/common/tls/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/support/test_certificates.h"

namespace postern::tls {
namespace {

using ::testing::HasSubstr;

class ContextTest : public ::testing::Test {
 protected:
  // What both kinds of context say about `files`.
  void ExpectRefused(absl::StatusCode code, const std::string& named_file) {
    for (const absl::Status& status :
         {ServerContext(files_).status(), ClientContext(files_).status()}) {
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(named_file));
    }
  }

  test::TestCertificates authority_;
  Files files_ = authority_.Leaf("server", "a");
};

TEST_F(ContextTest, GoodFilesServe) {
  EXPECT_TRUE(ServerContext(files_).ok()) << ServerContext(files_).status();
  EXPECT_TRUE(ClientContext(files_).ok()) << ClientContext(files_).status();
}

TEST_F(ContextTest, AKeyOfAnotherCertificateIsNamed) {
  files_.key = authority_.Leaf("server", "b").key;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, files_.key);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "does not belong to");
}

TEST_F(ContextTest, AKeyOpenToTheGroupIsRefused) {
  ASSERT_EQ(::chmod(files_.key.c_str(), 0640), 0);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, files_.key);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "chmod 600");
}

TEST_F(ContextTest, MissingFilesAreNamed) {
  const Files good = files_;
  files_.certificate = "/nonexistent/certificate.pem";
  ExpectRefused(absl::StatusCode::kNotFound, files_.certificate);
  files_ = good;
  files_.key = "/nonexistent/key.pem";
  ExpectRefused(absl::StatusCode::kNotFound, files_.key);
  files_ = good;
  files_.trust = "/nonexistent/trust.pem";
  ExpectRefused(absl::StatusCode::kNotFound, files_.trust);
}

TEST_F(ContextTest, FilesWithOtherContentAreNamed) {
  const std::string junk = authority_.folder() + "/junk.pem";
  std::ofstream(junk) << "nothing of use\n";
  ASSERT_EQ(::chmod(junk.c_str(), 0600), 0);
  const Files good = files_;
  files_.certificate = junk;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "certificate file " + junk);
  files_ = good;
  files_.key = junk;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "key file " + junk);
  files_ = good;
  files_.trust = junk;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "trust file " + junk);
}

}  // namespace
}  // namespace postern::tls
