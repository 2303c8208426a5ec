#include "services/common/pki/key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/common/pki/pkcs12.h"

namespace postern::pki {
namespace {

using ::testing::HasSubstr;

TEST(KeyTest, AnEncryptedKeyOpensWithItsPassphraseOnly) {
  const crypto::KeyPtr key = GenerateKey(KeyKind::kEcP256);
  const crypto::Secret pem = PrivateKeyPem(key.get(), "correct horse battery");
  EXPECT_THAT(std::string(pem.view()), HasSubstr("BEGIN ENCRYPTED PRIVATE KEY"));
  const auto opened = ParsePrivateKey("ca.key", pem.view(), "correct horse battery");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(SamePublicKey(opened->get(), key.get()));

  const auto wrong = ParsePrivateKey("ca.key", pem.view(), "wrong");
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("ca.key does not open"));
  const auto none = ParsePrivateKey("ca.key", pem.view(), "");
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("no passphrase file is named"));
}

TEST(KeyTest, TheKeyIsDerivedByScrypt) {
  const crypto::KeyPtr key = GenerateKey(KeyKind::kEcP256);
  const crypto::Secret pem = PrivateKeyPem(key.get(), "correct horse battery");
  const crypto::BioPtr bio(BIO_new_mem_buf(pem.view().data(), static_cast<int>(pem.size())));
  std::string base64(pem.view());
  // 1.3.6.1.4.1.11591.4.11 in DER, base64 of which depends on the place: look for it decoded.
  base64 = base64.substr(base64.find('\n') + 1);
  base64 = base64.substr(0, base64.find("-----"));
  std::string der(base64.size(), '\0');
  EVP_ENCODE_CTX* decoder = EVP_ENCODE_CTX_new();
  int size = 0;
  EVP_DecodeInit(decoder);
  EVP_DecodeUpdate(decoder, reinterpret_cast<unsigned char*>(der.data()), &size,
                   reinterpret_cast<const unsigned char*>(base64.data()),
                   static_cast<int>(base64.size()));
  EVP_ENCODE_CTX_free(decoder);
  EXPECT_NE(der.find("\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"), std::string::npos);
}

TEST(KeyTest, WhatIsNoKeyIsNamed) {
  const auto parsed = ParsePrivateKey("ca.key", "hello", "");
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("ca.key holds no private key"));
}

TEST(KeyTest, OnlyStrongKeysOfUsualKindsMayBeCertified) {
  EXPECT_TRUE(CheckPublicKey(GenerateKey(KeyKind::kEcP256).get()).ok());
  EXPECT_TRUE(CheckPublicKey(GenerateKey(KeyKind::kEcP384).get()).ok());
  EXPECT_TRUE(CheckPublicKey(GenerateKey(KeyKind::kRsa3072).get()).ok());
  const struct {
    crypto::KeyPtr key;
    const char* named;
  } refused[] = {
      {crypto::KeyPtr(EVP_RSA_gen(1024)), "1024 bits"},
      {crypto::KeyPtr(EVP_EC_gen("P-521")), "secp521r1"},
      {crypto::KeyPtr(EVP_EC_gen("secp256k1")), "secp256k1"},
      {crypto::KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), "ED25519"},
  };
  for (const auto& [key, named] : refused) {
    const absl::Status status = CheckPublicKey(key.get());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << named;
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
  }
}

}  // namespace
}  // namespace postern::pki
