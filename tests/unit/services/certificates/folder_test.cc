#include "services/certificates/authority/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "services/common/base/files.h"
#include "tests/unit/services/certificates/authority_fixture.h"

namespace postern::authority {
namespace {

using ::testing::HasSubstr;

constexpr char kPassphrase[] = "a passphrase for tests";

class FolderTest : public ::testing::Test {
 protected:
  FolderTest() {
    std::string pattern = testing::TempDir() + "authority.XXXXXX";
    path_ = ::mkdtemp(pattern.data());
    auto root = MakeRoot(kTrustDomain, pki::KeyKind::kEcP256, kNow).value();
    EXPECT_TRUE(Folder::Create(ca(), kTrustDomain, root, kPassphrase).ok());
  }
  ~FolderTest() override { std::filesystem::remove_all(path_); }

  std::string ca() const { return path_ + "/ca"; }
  absl::Status Add(Folder& folder, const std::string& name) {
    const IssuerName parsed = IssuerName::Parse(name).value();
    auto root = folder.ReadRoot(kPassphrase);
    if (!root.ok()) return root.status();
    return folder.AddIssuer(
        parsed, MakeIssuer(*root, parsed, kTrustDomain, pki::KeyKind::kEcP256, kNow).value(),
        kPassphrase);
  }
  std::string Authorities() { return ReadFile(ca() + "/authorities").value(); }
  std::size_t Trusted(const std::string& file) {
    return pki::ParseCertificates(ReadFile(ca() + "/" + file).value())->size();
  }

  std::string path_;
};

TEST_F(FolderTest, HoldsRootAndIssuingCas) {
  auto folder = Folder::Open(ca());
  ASSERT_TRUE(folder.ok()) << folder.status();
  ASSERT_TRUE(Add(*folder, "services-1").ok());
  ASSERT_TRUE(Add(*folder, "clients-1").ok());
  EXPECT_EQ(Add(*folder, "clients-1").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Authorities(), "clients-1 active\nservices-1 active\n");
  const auto issuer = folder->ReadIssuer(IssuerName::Parse("services-1").value(), kPassphrase);
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  EXPECT_TRUE(pki::IsIssuedBy(issuer->certificate(), folder->ReadRootCertificate()->get()));
  for (const char* key : {"root_ca.key", "issuers/services-1.key"}) {
    struct stat info {};
    ASSERT_EQ(::stat((ca() + "/" + key).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << key;
    EXPECT_THAT(ReadFile(ca() + "/" + key).value(), HasSubstr("ENCRYPTED"));
  }
}

TEST_F(FolderTest, ASecondRootIsRefused) {
  EXPECT_EQ(Folder::Create(ca(), kTrustDomain, TestRoot(), kPassphrase).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(FolderTest, WithoutFolderItSaysHowToMakeOne) {
  const auto folder = Folder::Open(path_ + "/none");
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(folder.status().message()), HasSubstr("postern-certs init"));
}

TEST_F(FolderTest, AWrongPassphraseAndAnOpenKeyAreNamed) {
  auto folder = Folder::Open(ca()).value();
  const auto wrong = folder.ReadRoot("another passphrase");
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("root_ca.key does not open"));
  ::chmod((ca() + "/root_ca.key").c_str(), 0644);
  const auto open = folder.ReadRoot(kPassphrase);
  EXPECT_THAT(std::string(open.status().message()), HasSubstr("chmod 600"));
}

TEST_F(FolderTest, ARootTakenOfflineIsNotFound) {
  auto folder = Folder::Open(ca()).value();
  std::filesystem::remove(ca() + "/root_ca.key");
  EXPECT_EQ(Add(folder, "services-1").code(), absl::StatusCode::kNotFound);
}

TEST_F(FolderTest, RotationGoesThroughBothBeingTrusted) {
  auto folder = Folder::Open(ca()).value();
  ASSERT_TRUE(Add(folder, "services-1").ok());
  ASSERT_TRUE(Add(folder, "clients-1").ok());
  ASSERT_TRUE(Add(folder, "services-2").ok());
  EXPECT_EQ(Authorities(), "clients-1 active\nservices-1 active\nservices-2 incoming\n");
  EXPECT_EQ(Trusted("services_ca.pem"), 2u);
  EXPECT_EQ(Trusted("services_anchor.pem"), 2u);
  EXPECT_EQ(Trusted("clients_ca.pem"), 1u);

  auto issuers = folder.ReadIssuers().value();
  const IssuerName one = IssuerName::Parse("services-1").value();
  const IssuerName two = IssuerName::Parse("services-2").value();
  EXPECT_EQ(Move(issuers, one, State::kRetired).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Move(issuers, IssuerName::Parse("services-3").value(), State::kActive).code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(Move(issuers, two, State::kActive).ok());
  ASSERT_TRUE(folder.WriteTrust(issuers).ok());
  EXPECT_EQ(Authorities(), "clients-1 active\nservices-1 outgoing\nservices-2 active\n");
  EXPECT_EQ(Trusted("services_ca.pem"), 2u);
  ASSERT_TRUE(Move(issuers, one, State::kRetired).ok());
  ASSERT_TRUE(folder.WriteTrust(issuers).ok());
  EXPECT_EQ(Trusted("services_ca.pem"), 1u);
  EXPECT_FALSE(Move(issuers, one, State::kActive).ok()) << "what is retired stays so";
}

TEST_F(FolderTest, ACrlOnDiskIsReadBackAndATornOneIsNamed) {
  auto folder = Folder::Open(ca()).value();
  ASSERT_TRUE(Add(folder, "clients-1").ok());
  const auto issuers = folder.ReadIssuers().value();
  EXPECT_EQ(folder.ReadCrl(issuers[0]).value(), std::nullopt);
  const auto issuer = folder.ReadIssuer(issuers[0].name, kPassphrase).value();
  const std::string der = issuer.SignCrl({3, kNow, kNow + 60}, {});
  ASSERT_TRUE(folder.WriteCrl(issuers[0].name, der).ok());
  EXPECT_EQ(folder.ReadCrl(issuers[0]).value()->number(), 3);
  const std::string file = ca() + "/crl/clients-1.crl";
  std::filesystem::resize_file(file, 100);
  const auto torn = folder.ReadCrl(issuers[0]);
  EXPECT_EQ(torn.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(torn.status().message()), HasSubstr(file));
}

TEST(PassphraseTest, IsSecretAndLong) {
  const std::string path = testing::TempDir() + "passphrase";
  ASSERT_TRUE(WriteFileAtomically(path, "short\n").ok());
  EXPECT_EQ(ReadPassphrase(path).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomically(path, "a passphrase for tests\n").ok());
  EXPECT_EQ(ReadPassphrase(path).value().view(), "a passphrase for tests");
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(ReadPassphrase(path).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace postern::authority
