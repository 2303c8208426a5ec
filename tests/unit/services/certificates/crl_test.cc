#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/common/pki/pem.h"
#include "services/common/pki/revocation_list.h"
#include "tests/unit/services/certificates/authority_fixture.h"

namespace postern::authority {
namespace {

using ::testing::HasSubstr;

pki::RevocationList Parse(const Issuer& issuer, const CrlHeader& header) {
  return pki::RevocationList::Parse(issuer.SignCrl(header, {}), issuer.certificate()).value();
}

TEST(CrlTest, HoldsWhatWasRevokedWithReasonAndTime) {
  const Issuer issuer = TestIssuer("clients-1");
  std::vector<RevokedEntry> revoked;
  for (int i = 0; i < 300; ++i) revoked.push_back({pki::Serial::Random(), kNow - i, i % 6});
  revoked.push_back({pki::Serial::FromBytes(std::string(20, '\xff')).value(), kNow, 1});
  const std::string der = issuer.SignCrl({7, kNow, kNow + 3600}, revoked);
  for (const std::string& form : {der, pki::PemOf(der, "X509 CRL")}) {
    const auto list = pki::RevocationList::Parse(form, issuer.certificate());
    ASSERT_TRUE(list.ok()) << list.status();
    EXPECT_EQ(list->number(), 7);
    EXPECT_EQ(list->this_update_s(), kNow);
    EXPECT_EQ(list->next_update_s(), kNow + 3600);
    ASSERT_EQ(list->entries().size(), revoked.size());
    for (const RevokedEntry& entry : revoked) {
      ASSERT_TRUE(list->Contains(entry.serial));
      EXPECT_EQ(list->entries().at(entry.serial).reason, entry.reason);
      EXPECT_EQ(list->entries().at(entry.serial).revoked_at_s, entry.revoked_at_s);
    }
    EXPECT_FALSE(list->Contains(pki::Serial::Random()));
  }
}

TEST(CrlTest, SaysWhatIsWrong) {
  const Issuer issuer = TestIssuer("clients-1");
  const Issuer same_name = TestIssuer("clients-1");
  const Issuer other = TestIssuer("services-1");
  const std::string der =
      issuer.SignCrl({7, kNow, kNow + 3600}, {{pki::Serial::Random(), kNow, 1}});
  std::string flipped = der;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"", "empty"},
      {"hello", "torn, or no CRL"},
      {der.substr(0, der.size() - 1), "torn"},
      {der + "x", "torn"},
      {pki::PemOf(der, "X509 CRL").substr(0, 200), "no whole PEM block"},
      {same_name.SignCrl({8, kNow, kNow + 1}, {}), "signature is not of its issuing CA"},
      {other.SignCrl({8, kNow, kNow + 1}, {}), "of another issuing CA"},
  };
  for (const auto& [crl, reason] : cases) {
    const auto list = pki::RevocationList::Parse(crl, issuer.certificate());
    EXPECT_EQ(list.status().code(), absl::StatusCode::kInvalidArgument) << reason;
    EXPECT_THAT(std::string(list.status().message()), HasSubstr(reason));
  }
  EXPECT_FALSE(pki::RevocationList::Parse(flipped, issuer.certificate()).ok());
}

TEST(CrlTest, AnOlderOneIsNeverTaken) {
  const Issuer issuer = TestIssuer("clients-1");
  const auto current = Parse(issuer, {7, kNow, kNow + 3600});
  EXPECT_TRUE(current.CheckSuccessor(Parse(issuer, {8, kNow + 1, kNow + 3600})).ok());
  EXPECT_TRUE(current.CheckSuccessor(current).ok());
  const absl::Status number = current.CheckSuccessor(Parse(issuer, {6, kNow + 1, kNow + 3600}));
  EXPECT_EQ(number.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(number.message()), HasSubstr("number 6"));
  EXPECT_FALSE(current.CheckSuccessor(Parse(issuer, {8, kNow - 1, kNow + 3600})).ok());
}

TEST(CrlTest, IsTooOldOnceTheGraceHasPassed) {
  const Issuer issuer = TestIssuer("clients-1");
  const auto list = Parse(issuer, {7, kNow, kNow + 3600});
  EXPECT_TRUE(list.CheckFresh(kNow + 3600 + 60, std::chrono::seconds(60)).ok());
  EXPECT_EQ(list.CheckFresh(kNow + 3600 + 61, std::chrono::seconds(60)).code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace postern::authority
