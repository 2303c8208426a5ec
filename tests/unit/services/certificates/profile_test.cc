#include "services/certificates/authority/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace postern::authority {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using std::chrono::seconds;

TEST(ProfileTest, ASubjectIsCompletedByItsProfile) {
  const auto subject =
      MakeSubject("edge", "edge-1", {"B.example.org", "localhost", "::0001", "b.example.org"}, {});
  ASSERT_TRUE(subject.ok()) << subject.status();
  EXPECT_EQ(subject->life, 7 * kDay);
  EXPECT_THAT(subject->hosts, ElementsAre("::1", "b.example.org"));
  EXPECT_EQ(subject->SpiffeId("example.org"), "spiffe://example.org/edge/edge-1");
}

TEST(ProfileTest, EveryFaultIsNamed) {
  const auto subject = MakeSubject("king", "Not A Name", {"bad,URI:spiffe://x/operator/root"}, {});
  EXPECT_THAT(std::string(subject.status().message()),
              AllOf(HasSubstr("profile: one of"), HasSubstr("name: "), HasSubstr("hosts: ")));
}

TEST(ProfileTest, RefusesHostsWhereNoneBelongAndLivesThatAreTooLong) {
  EXPECT_FALSE(MakeSubject("client", "acme", {"acme.example"}, {}).ok());
  EXPECT_FALSE(MakeSubject("edge", "e", {}, 91 * kDay).ok());
  EXPECT_FALSE(MakeSubject("edge", "e", {}, seconds(9)).ok());
  EXPECT_FALSE(MakeSubject("edge", "e", {"*.example.org"}, {}).ok());
  std::vector<std::string> many;
  for (int i = 0; i < 17; ++i) many.push_back("host-" + std::to_string(i));
  EXPECT_FALSE(MakeSubject("edge", "e", many, {}).ok());
}

TEST(ProfileTest, ATrustDomainIsAShortHostName) {
  EXPECT_TRUE(IsTrustDomain(std::string(60, 'a') + ".org"));
  for (const std::string& text : {std::string(), std::string("Example.org"), std::string("a/b"),
                                  std::string("a b"), std::string(61, 'a') + ".org"}) {
    EXPECT_FALSE(IsTrustDomain(text)) << text;
  }
}

TEST(ProfileTest, OnlyClientsComeFromTheClientsCa) {
  for (const Profile& profile : Profiles()) {
    EXPECT_EQ(profile.issuer == Kind::kClients, profile.name == "client") << profile.name;
    EXPECT_LE(profile.life, profile.life_max);
  }
}

}  // namespace
}  // namespace postern::authority
