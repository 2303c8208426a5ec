#include "services/common/tls/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <ctime>
#include <memory>
#include <string>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "tests/support/test_certificates.h"

namespace postern::tls {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, X509Deleter>;

Certificate Load(const std::string& path) {
  BIO* file = BIO_new_file(path.c_str(), "r");
  Certificate certificate(PEM_read_bio_X509(file, nullptr, nullptr, nullptr));
  BIO_free(file);
  return certificate;
}

TEST(SpiffeIdTest, ReadsRoleAndName) {
  const auto id = SpiffeId::Parse("spiffe://acme.example/client/billing_1.eu-2");
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(id->trust_domain, "acme.example");
  EXPECT_EQ(id->role, Role::kClient);
  EXPECT_EQ(id->name, "billing_1.eu-2");
  EXPECT_EQ(id->ToString(), "spiffe://acme.example/client/billing_1.eu-2");
}

TEST(SpiffeIdTest, KnowsEveryRole) {
  for (const char* role : {"client", "edge", "worker", "portal", "server", "operator"}) {
    const std::string uri = StrCat("spiffe://acme.example/", role, "/a");
    const auto id = SpiffeId::Parse(uri);
    ASSERT_TRUE(id.ok()) << uri;
    EXPECT_EQ(RoleName(id->role), role);
  }
}

class SpiffeIdRefused : public ::testing::TestWithParam<std::string> {};

TEST_P(SpiffeIdRefused, IsInvalid) {
  EXPECT_EQ(SpiffeId::Parse(GetParam()).status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    All, SpiffeIdRefused,
    ::testing::Values("", "spiffe://", "https://acme.example/client/a",
                      "SPIFFE://acme.example/client/a", "spiffe:///client/a",
                      "spiffe://acme.example", "spiffe://acme.example/client",
                      "spiffe://acme.example/client/", "spiffe://acme.example//a",
                      "spiffe://acme.example/client/a/", "spiffe://acme.example/client/a/b",
                      "spiffe://acme.example/guest/a", "spiffe://acme.example/Client/a",
                      "spiffe://acme.example/client/A", "spiffe://acme.example/client/a b",
                      "spiffe://acme.example/client/a?b", "spiffe://acme.example/client/a#b",
                      "spiffe://acme.example/client/a%62", "spiffe://acme.example/client/..",
                      "spiffe://acme.example/client/.", "spiffe://acme.example:80/client/a",
                      "spiffe://user@acme.example/client/a", "spiffe://Acme.example/client/a",
                      "spiffe://acme.example/client/" + std::string(65, 'a'),
                      std::string("spiffe://acme.example/client/a\0b", 32)));

TEST(SpiffeIdTest, TakesTheLongestName) {
  EXPECT_TRUE(SpiffeId::Parse("spiffe://acme.example/client/" + std::string(64, 'a')).ok());
}

class PeerCertificateTest : public ::testing::Test {
 protected:
  absl::StatusOr<PeerCertificate> Read(const test::LeafOptions& options) {
    return ReadPeerCertificate(Load(authority_.Issue(options).certificate).get());
  }

  test::TestCertificates authority_;
};

TEST_F(PeerCertificateTest, ReadsWhatItSays) {
  const Files files = authority_.Leaf("client", "billing");
  const auto peer = ReadPeerCertificate(Load(files.certificate).get());
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->id.ToString(), "spiffe://test.postern/client/billing");
  EXPECT_EQ(peer->common_name, "billing");
  EXPECT_EQ(peer->sha256_hex.size(), 64u);
  EXPECT_EQ(peer->ref.serial_hex.size(), 32u);
  EXPECT_EQ(peer->ref.serial_hex.find_first_not_of("0123456789abcdef"), std::string::npos);
  const std::int64_t in_a_day = std::time(nullptr) + 24 * 3600;
  EXPECT_NEAR(static_cast<double>(peer->not_after_s), static_cast<double>(in_a_day), 60);
  EXPECT_EQ(CertificateLife(files.certificate)->not_after_s, peer->not_after_s);
}

TEST_F(PeerCertificateTest, TwoUrisAreRefused) {
  test::LeafOptions options;
  options.uri = "spiffe://test.postern/client/a";
  options.more_uris = {"spiffe://test.postern/operator/a"};
  const auto peer = Read(options);
  EXPECT_EQ(peer.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(peer.status().message()), HasSubstr("2 URI names"));
}

TEST_F(PeerCertificateTest, AUriOfAnotherKindBesideTheSpiffeIdIsRefused) {
  test::LeafOptions options;
  options.uri = "spiffe://test.postern/client/a";
  options.more_uris = {"https://example.com/"};
  EXPECT_EQ(Read(options).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerCertificateTest, NoUriIsRefused) {
  EXPECT_EQ(Read(test::LeafOptions()).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerCertificateTest, AnotherUriIsRefused) {
  test::LeafOptions options;
  options.uri = "https://example.com/client/a";
  EXPECT_EQ(Read(options).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST(PeerCertificate, NoneIsRefused) {
  EXPECT_EQ(ReadPeerCertificate(nullptr).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerCertificateTest, ReadsPem) {
  const Files files = authority_.Leaf("client", "billing");
  const auto peer = ReadPeerCertificatePem(*ReadFile(files.certificate));
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->ref.serial_hex,
            ReadPeerCertificate(Load(files.certificate).get())->ref.serial_hex);
  EXPECT_EQ(ReadPeerCertificatePem("no certificate").status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerCertificateTest, AProgramsOwnCertificateHasItsRoleAndTrustDomain) {
  const std::string edge = authority_.Leaf("edge", "edge-1").certificate;
  EXPECT_TRUE(CheckOwnCertificate(edge, Role::kEdge, "test.postern").ok());
  const auto role = CheckOwnCertificate(edge, Role::kServer, "test.postern");
  EXPECT_EQ(role.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(role.message()),
              AllOf(HasSubstr(edge), HasSubstr("spiffe://test.postern/edge/edge-1"),
                    HasSubstr("spiffe://test.postern/server/<name>")));
  const auto domain = CheckOwnCertificate(edge, Role::kEdge, "other.postern");
  EXPECT_EQ(domain.code(), absl::StatusCode::kFailedPrecondition);
  test::LeafOptions nameless;
  const std::string file = authority_.Issue(nameless).certificate;
  EXPECT_THAT(std::string(CheckOwnCertificate(file, Role::kEdge, "test.postern").message()),
              AllOf(HasSubstr(file), HasSubstr("0 URI names")));
  EXPECT_EQ(CheckOwnCertificate("/nonexistent/a.pem", Role::kEdge, "test.postern").code(),
            absl::StatusCode::kNotFound);
}

TEST(CertificateLifeTest, NamesTheFile) {
  const auto missing = CertificateLife("/nonexistent/a.pem");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/nonexistent/a.pem"));
  test::TestCertificates authority;
  const Files files = authority.Leaf("client", "a");
  const auto key = CertificateLife(files.key);
  EXPECT_EQ(key.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(key.status().message()), HasSubstr(files.key));
}

}  // namespace
}  // namespace postern::tls
