#include "services/certificates/authority/issuer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <memory>
#include <string>

#include "tests/unit/services/certificates/authority_fixture.h"

namespace postern::authority {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

Subject SubjectFor(const char* profile, const char* name) {
  return MakeSubject(profile, name, {}, {}).value();
}

// What OpenSSL says of a leaf under the root, for a purpose.
int Verify(X509* leaf, X509* issuer, int purpose, std::int64_t now_s) {
  const std::unique_ptr<X509_STORE, crypto::OpenSslFree<&X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), TestRoot().certificate.get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_X509_STRICT);
  const std::unique_ptr<X509_STORE_CTX, crypto::OpenSslFree<&X509_STORE_CTX_free>> context(
      X509_STORE_CTX_new());
  STACK_OF(X509)* const chain = sk_X509_new_null();
  sk_X509_push(chain, issuer);
  X509_STORE_CTX_init(context.get(), store.get(), leaf, chain);
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_STORE_CTX_set_time(context.get(), 0, now_s);
  X509_verify_cert(context.get());
  const int error = X509_STORE_CTX_get_error(context.get());
  sk_X509_free(chain);
  return error;
}

TEST(IssuerTest, ALeafSaysWhatItsProfileDecides) {
  const Issuer issuer = TestIssuer("services-1");
  Subject subject = MakeSubject("edge", "edge-1", {"10.0.0.7", "edge.example.org"}, {}).value();
  const crypto::X509Ptr leaf = TestLeaf(issuer, subject);
  const auto info = pki::Describe(leaf.get());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->uris, ElementsAre("spiffe://example.org/edge/edge-1"));
  EXPECT_THAT(info->hosts,
              UnorderedElementsAre("localhost", "127.0.0.1", "10.0.0.7", "edge.example.org"));
  EXPECT_EQ(info->subject, "CN=edge-1,O=example.org");
  EXPECT_EQ(info->issuer, "CN=Postern ServicesCA 1,O=example.org");
  EXPECT_TRUE(info->server_auth && info->client_auth);
  EXPECT_FALSE(info->is_ca);
  EXPECT_EQ(info->not_before_s, kNow - 60);
  EXPECT_EQ(info->not_after_s, kNow + 7 * 86'400);
  EXPECT_EQ(Verify(leaf.get(), issuer.certificate(), X509_PURPOSE_SSL_SERVER, kNow), X509_V_OK);
  EXPECT_EQ(Verify(leaf.get(), issuer.certificate(), X509_PURPOSE_SSL_CLIENT, kNow), X509_V_OK);
}

TEST(IssuerTest, UsageFollowsTheProfile) {
  const Issuer services = TestIssuer("services-1");
  const Issuer clients = TestIssuer("clients-1");
  const auto listen = TestLeaf(services, SubjectFor("listen", "edge-1"));
  EXPECT_EQ(Verify(listen.get(), services.certificate(), X509_PURPOSE_SSL_SERVER, kNow), X509_V_OK);
  EXPECT_EQ(Verify(listen.get(), services.certificate(), X509_PURPOSE_SSL_CLIENT, kNow),
            X509_V_ERR_INVALID_PURPOSE);
  const auto client = TestLeaf(clients, SubjectFor("client", "acme"));
  EXPECT_EQ(Verify(client.get(), clients.certificate(), X509_PURPOSE_SSL_SERVER, kNow),
            X509_V_ERR_INVALID_PURPOSE);
  EXPECT_EQ(Verify(client.get(), clients.certificate(), X509_PURPOSE_SSL_CLIENT, kNow), X509_V_OK);
}

TEST(IssuerTest, TheSubjectOfALeafIsReadBackForItsRenewal) {
  const Issuer services = TestIssuer("services-1");
  const Issuer clients = TestIssuer("clients-1");
  for (const Profile& profile : Profiles()) {
    std::vector<std::string> hosts;
    if (profile.hosts) hosts = {"10.0.0.7", "a.example.org"};
    const Subject subject =
        MakeSubject(profile.name, "name-1", hosts, std::chrono::seconds(3600)).value();
    const Issuer& issuer = profile.issuer == Kind::kClients ? clients : services;
    const auto info = pki::Describe(TestLeaf(issuer, subject).get()).value();
    const auto read = SubjectOf(info, kTrustDomain);
    ASSERT_TRUE(read.ok()) << profile.name << ": " << read.status();
    EXPECT_EQ(read->profile->name, profile.name);
    EXPECT_EQ(read->name, "name-1");
    EXPECT_EQ(read->hosts, hosts);
    EXPECT_EQ(read->life, std::chrono::seconds(3600)) << "a renewal lives as long";
    EXPECT_FALSE(SubjectOf(info, "other.org").ok());
  }
}

TEST(IssuerTest, NothingOutlivesItsIssuer) {
  const Issuer issuer = TestIssuer("services-1");
  const std::int64_t end = pki::Describe(issuer.certificate())->not_after_s;
  const auto late = TestLeaf(issuer, SubjectFor("edge", "edge-1"), end - 100);
  EXPECT_EQ(pki::Describe(late.get())->not_after_s, end);
  const crypto::KeyPtr key = pki::GenerateKey(pki::KeyKind::kEcP256);
  const auto after =
      issuer.Sign(SubjectFor("edge", "edge-1"), key.get(), pki::Serial::Random(), end);
  EXPECT_EQ(after.status().code(), absl::StatusCode::kFailedPrecondition);
  const auto root_end = pki::Describe(TestRoot().certificate.get())->not_after_s;
  const Issuer last = TestIssuer("services-9", root_end - 100);
  EXPECT_EQ(pki::Describe(last.certificate())->not_after_s, root_end);
}

TEST(IssuerTest, AnIssuingCaMakesNoCas) {
  const Issuer issuer = TestIssuer("services-1");
  EXPECT_EQ(X509_get_pathlen(issuer.certificate()), 0);
}

TEST(IssuerTest, TheAnchorVerifiesWithoutTheRoot) {
  const Issuer issuer = TestIssuer("services-1");
  const crypto::X509Ptr anchor = issuer.Anchor();
  EXPECT_TRUE(pki::IsIssuedBy(anchor.get(), anchor.get()));
  EXPECT_TRUE(pki::IsIssuedBy(TestLeaf(issuer, SubjectFor("store", "redis")).get(), anchor.get()));
}

TEST(IssuerTest, RefusesAKeyOfAnotherCa) {
  auto made = MakeIssuer(TestRoot(), {}, kTrustDomain, pki::KeyKind::kEcP256, kNow).value();
  EXPECT_FALSE(Issuer::Create({}, kTrustDomain, std::move(made.certificate),
                              pki::GenerateKey(pki::KeyKind::kEcP256))
                   .ok());
}

TEST(IssuerNameTest, IsKindAndGeneration) {
  EXPECT_EQ(IssuerName::Parse("clients-12")->ToString(), "clients-12");
  for (const char* text : {"", "clients", "clients-0", "clients-01", "kings-1", "services-99999",
                           "services--1", "../services-1"}) {
    EXPECT_FALSE(IssuerName::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace postern::authority
