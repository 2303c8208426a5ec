#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::Eventually;
using postern::test::LeafOptions;
using postern::test::TlsClient;

// Two domains on one edge, beside what belongs to none: `acme` of example.org.
class DomainsTest : public EdgeFixture {
 protected:
  void SetUp() override {
    for (const char* domain : {"one.example", "two.example"}) {
      LeafOptions options;
      options.common_name = domain;
      const tls::Files files = ServicesCa().Issue(options);
      const std::filesystem::path folder = std::filesystem::path(folder_) / "domains" / domain;
      std::filesystem::create_directories(folder);
      std::filesystem::copy_file(files.certificate, folder / "certificate.pem");
      std::filesystem::copy_file(files.key, folder / "key.pem");
      const std::string id = std::string("client-of-") + domain;
      files_[domain] = ClientsCa().Leaf("client", id);
      v1::Client client = Register(id, files_[domain]);
      client.set_domain(domain);
      server_->SetClient(client);
    }
    std::ofstream(folder_ + "/domains/two.example/domain.yaml")
        << "messages_per_second: 7\nburst: 9\n";
    StartRedis({});
    Settings settings = MakeSettings();
    settings.domains_folder = folder_ + "/domains";
    settings.messages_per_second = 100;
    const absl::Status started = StartEdge(settings);
    ASSERT_TRUE(started.ok()) << started;
    ASSERT_TRUE(Eventually([&] { return Ready(); }));
  }

  std::unique_ptr<TlsClient> ConnectTo(const std::string& name, const tls::Files& files) const {
    TlsClient::Options options;
    options.port = edge_->port();
    options.files = files;
    options.files.trust = ServicesCa().ca_file();
    options.server_name = name;
    return std::make_unique<TlsClient>(options);
  }
  // The status of a POST; 0 when the connection is closed without an answer.
  int PostTo(const std::string& name, const tls::Files& files) const {
    const auto answer = ConnectTo(name, files)->Ask(PostText(GoodBody()));
    return answer.has_value() ? answer->status : 0;
  }
  static std::string CommonName(const TlsClient& client) {
    X509* const certificate = SSL_get1_peer_certificate(client.ssl());
    char name[128] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof(name));
    X509_free(certificate);
    return name;
  }

  std::map<std::string, tls::Files> files_;
};

TEST_F(DomainsTest, TheNameOfTheServerPicksTheCertificate) {
  EXPECT_EQ(CommonName(*ConnectTo("one.example", files_["one.example"])), "one.example");
  EXPECT_EQ(CommonName(*ConnectTo("TWO.example", files_["two.example"])), "two.example");
  EXPECT_EQ(CommonName(*ConnectTo("other.example", acme_files_)), "edge-1");
  EXPECT_EQ(CommonName(*ConnectTo("", acme_files_)), "edge-1");
}

TEST_F(DomainsTest, AClientIsNobodyInAnotherDomain) {
  EXPECT_EQ(PostTo("one.example", files_["one.example"]), 202);
  EXPECT_EQ(PostTo("two.example", files_["two.example"]), 202);
  EXPECT_EQ(PostTo("", acme_files_), 202);
  EXPECT_EQ(PostTo("localhost", acme_files_), 202);

  EXPECT_EQ(PostTo("one.example", files_["two.example"]), 0);
  EXPECT_EQ(PostTo("two.example", files_["one.example"]), 0);
  EXPECT_EQ(PostTo("one.example", acme_files_), 0);
  EXPECT_EQ(PostTo("", files_["one.example"]), 0);
  EXPECT_EQ(PostTo("localhost", files_["one.example"]), 0);
  const auto envelopes = QueuedEnvelopes();
  ASSERT_EQ(envelopes.size(), 4U);
  std::multiset<std::string> domains;
  for (const v1::Envelope& envelope : envelopes) domains.insert(envelope.domain());
  EXPECT_EQ(domains.count("one.example"), 1U);
  EXPECT_EQ(domains.count("two.example"), 1U);
}

TEST_F(DomainsTest, ADomainHasLimitsOfItsOwn) {
  const auto policy = [&](const std::string& name, const tls::Files& files) {
    const auto answer = ConnectTo(name, files)->Ask(PostText(GoodBody()));
    return answer.has_value() ? answer->fields.at("ratelimit-policy") : "";
  };
  EXPECT_EQ(policy("one.example", files_["one.example"]), "\"rate\";q=100;w=1");
  EXPECT_EQ(policy("two.example", files_["two.example"]), "\"rate\";q=9;w=2");
}

TEST_F(DomainsTest, ADomainsCertificateFollowsItsFiles) {
  LeafOptions options;
  options.common_name = "renewed.one.example";
  const tls::Files files = ServicesCa().Issue(options);
  const std::filesystem::path folder = std::filesystem::path(folder_) / "domains" / "one.example";
  std::filesystem::rename(files.key, folder / "key.pem");
  std::filesystem::rename(files.certificate, folder / "certificate.pem");
  EXPECT_TRUE(Eventually([&] {
    return CommonName(*ConnectTo("one.example", files_["one.example"])) == "renewed.one.example";
  }));
  EXPECT_EQ(CommonName(*ConnectTo("two.example", files_["two.example"])), "two.example");
}

TEST_F(DomainsTest, ReadsTheFolderAgain) {
  const std::filesystem::path folder = std::filesystem::path(folder_) / "domains";
  std::filesystem::copy(folder / "one.example", folder / "three.example");
  std::ofstream(folder / "two.example" / "domain.yaml") << "messages_per_second: 3\nburst: 4\n";
  Settings settings = MakeSettings();
  settings.domains_folder = folder.string();
  settings.messages_per_second = 50;
  ASSERT_TRUE(edge_->Reload(settings).ok());
  EXPECT_EQ(CommonName(*ConnectTo("three.example", acme_files_)), "one.example");
  const auto policy = [&](const std::string& name, const tls::Files& files) {
    return ConnectTo(name, files)->Ask(PostText(GoodBody()))->fields.at("ratelimit-policy");
  };
  EXPECT_EQ(policy("two.example", files_["two.example"]), "\"rate\";q=4;w=2");
  EXPECT_EQ(policy("", acme_files_), "\"rate\";q=50;w=1");

  std::filesystem::remove(folder / "three.example" / "key.pem");
  const absl::Status refused = edge_->Reload(settings);
  EXPECT_NE(std::string(refused.message()).find("three.example/key.pem"), std::string::npos);
  EXPECT_EQ(CommonName(*ConnectTo("three.example", acme_files_)), "one.example");
}

TEST_F(DomainsTest, ADomainWithoutACertificateKeepsTheEdgeFromStarting) {
  std::filesystem::create_directories(folder_ + "/domains/three.example");
  Settings settings = MakeSettings();
  settings.domains_folder = folder_ + "/domains";
  const absl::Status started = StartEdge(settings);
  EXPECT_FALSE(started.ok());
  EXPECT_NE(std::string(started.message()).find("three.example/certificate.pem"),
            std::string::npos);
}

}  // namespace
}  // namespace postern::edge::test
