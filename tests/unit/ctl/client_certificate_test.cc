#include "services/ctl/client_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/strings.h"
#include "tests/support/test_certificates.h"

namespace postern::ctl {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class ClientCertificateTest : public testing::Test {
 protected:
  std::string ErrorOf(const std::string& path, const std::string& client_id) {
    const auto sha256 = ClientCertificateSha256(path, client_id);
    EXPECT_EQ(sha256.status().code(), absl::StatusCode::kFailedPrecondition);
    return std::string(ToStd(sha256.status().message()));
  }
  test::TestCertificates certificates_;
};

TEST_F(ClientCertificateTest, GivesTheFingerprint) {
  const auto sha256 =
      ClientCertificateSha256(certificates_.Leaf("client", "acme").certificate, "acme");
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  EXPECT_THAT(*sha256, MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(sha256->size(), 64u);
}

TEST_F(ClientCertificateTest, RefusesWhatTheEdgeWouldRefuse) {
  EXPECT_THAT(ErrorOf(certificates_.Leaf("client", "other").certificate, "acme"),
              HasSubstr("client/other, not to client acme"));
  EXPECT_THAT(ErrorOf(certificates_.Leaf("worker", "acme").certificate, "acme"),
              HasSubstr("worker/acme"));
  EXPECT_THAT(ErrorOf(certificates_
                          .Issue({.uri = "spiffe://test.postern/client/acme",
                                  .more_uris = {},
                                  .common_name = "acme",
                                  .expired = true})
                          .certificate,
                      "acme"),
              HasSubstr("ended at"));
}

TEST_F(ClientCertificateTest, RefusesFilesThatHoldNone) {
  EXPECT_THAT(ErrorOf("/nonexistent.pem", "acme"), HasSubstr("/nonexistent.pem"));
  EXPECT_THAT(ErrorOf(certificates_.Leaf("client", "acme").key, "acme"),
              HasSubstr("holds no PEM certificate"));
}

}  // namespace
}  // namespace postern::ctl
