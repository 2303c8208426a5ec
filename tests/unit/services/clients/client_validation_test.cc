#include "services/clients/client_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/common/base/strings.h"

namespace postern::clients {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFingerprint(64, 'a');

v1::CreateClientRequest Request(const std::string& id, const std::string& domain,
                                const std::string& fingerprint) {
  v1::CreateClientRequest request;
  request.set_client_id(id);
  request.set_domain(domain);
  request.set_certificate_sha256(fingerprint);
  return request;
}

std::string Error(const v1::CreateClientRequest& request) {
  const auto client = ValidateNewClient(request);
  return client.ok() ? "" : std::string(ToStd(client.status().message()));
}

TEST(ClientValidationTest, NormalisesDomainAndFingerprint) {
  std::string pasted;
  for (int i = 0; i < 32; ++i) pasted += i == 0 ? "AB" : ":AB";
  const auto client = ValidateNewClient(Request("acme.sms-1_a", "SMS.Example.COM", pasted));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(client->client_id, "acme.sms-1_a");
  EXPECT_EQ(client->domain, "sms.example.com");
  EXPECT_EQ(client->certificate_sha256.substr(0, 6), "ababab");
}

TEST(ClientValidationTest, ReportsEveryFaultAtOnce) {
  EXPECT_THAT(Error(Request("", "", "ab")), AllOf(HasSubstr("client_id:"), HasSubstr("; domain:"),
                                                  HasSubstr("; certificate_sha256:")));
  EXPECT_THAT(Error(Request("acme", "-bad-", kFingerprint)),
              AllOf(Not(HasSubstr("client_id:")), HasSubstr("domain:")));
}

TEST(ClientValidationTest, RefusesWhatIsNoClientId) {
  const std::string longest(64, 'a');
  EXPECT_EQ(Error(Request(longest, "a.b", kFingerprint)), "");
  const std::string bad[] = {longest + "a", "Acme", "-acme", ".acme", "ac me", "acme/x", "acmé"};
  for (const std::string& id : bad) {
    EXPECT_THAT(Error(Request(id, "a.b", kFingerprint)), HasSubstr("client_id:")) << id;
  }
}

TEST(ClientValidationTest, RefusesWhatIsNoHostName) {
  EXPECT_EQ(Error(Request("a", "localhost", kFingerprint)), "");
  EXPECT_EQ(Error(Request("a", std::string(63, 'a') + ".b", kFingerprint)), "");
  const std::string bad[] = {
      "a..b", ".a", "a.", std::string(64, 'a') + ".b", "a_b.com", "a b", "example.com:8443"};
  for (const std::string& domain : bad) {
    EXPECT_THAT(Error(Request("a", domain, kFingerprint)), HasSubstr("domain:")) << domain;
  }
}

}  // namespace
}  // namespace postern::clients
