#include "services/common/crypto/aead.h"

#include <gtest/gtest.h>

#include <set>

#include "services/common/base/encoding.h"
#include "services/common/crypto/envelope_cipher.h"

namespace postern::crypto {
namespace {

const std::string kKey(kAeadKeySize, 'k');

TEST(AeadTest, OpensWhatItSealed) {
  Aead aead = *Aead::Create(kKey);
  for (const std::string& text : {std::string(), std::string("x"), std::string(4000, 'y')}) {
    const std::string sealed = aead.Seal(text, "context");
    EXPECT_EQ(sealed.size(), kAeadNonceSize + text.size() + kAeadTagSize);
    EXPECT_EQ(*aead.Open(sealed, "context"), text);
    EXPECT_EQ(*Aead::Create(kKey)->Open(sealed, "context"), text);
  }
}

// NIST GCM test vector 16 of the GCM specification (McGrew and Viega), AES-256 with additional
// data.
TEST(AeadTest, OpensAKnownCiphertext) {
  const std::string key =
      *HexDecode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const std::string nonce = *HexDecode("cafebabefacedbaddecaf888");
  const std::string data = *HexDecode("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const std::string ciphertext = *HexDecode(
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
  const std::string tag = *HexDecode("76fc6ece0f4e1768cddf8853bb2d551b");
  const auto text = Aead::Create(key)->Open(nonce + ciphertext + tag, data);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(HexEncode(*text),
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
}

TEST(AeadTest, AnyFlippedBitIsDataLossAndTheNextOpenWorks) {
  Aead aead = *Aead::Create(kKey);
  const std::string sealed = aead.Seal("a message", "context");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_EQ(aead.Open(altered, "context").status().code(), absl::StatusCode::kDataLoss) << i;
  }
  EXPECT_TRUE(aead.Open(sealed, "context").ok());
}

TEST(AeadTest, OtherContextOtherKeyAndCutTextAreDataLoss) {
  Aead aead = *Aead::Create(kKey);
  const std::string sealed = aead.Seal("a message", "context");
  EXPECT_EQ(aead.Open(sealed, "contexT").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(aead.Open(sealed, "").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Aead::Create(std::string(kAeadKeySize, 'q'))->Open(sealed, "context").status().code(),
            absl::StatusCode::kDataLoss);
  for (const std::size_t size :
       {std::size_t{0}, kAeadNonceSize, kAeadNonceSize + kAeadTagSize - 1}) {
    EXPECT_EQ(aead.Open(sealed.substr(0, size), "context").status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(AeadTest, NoNonceComesTwice) {
  Aead aead = *Aead::Create(kKey);
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) nonces.insert(aead.Seal("x", "").substr(0, kAeadNonceSize));
  EXPECT_EQ(nonces.size(), 1000u);
}

TEST(AeadTest, RefusesKeysOfAnotherSize) {
  EXPECT_EQ(Aead::Create("short").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Aead::Create(std::string(33, 'k')).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EnvelopeAdditionalDataTest, HasTheDocumentedBytes) {
  const Uuid key = *Uuid::FromBytes(std::string(16, 'K'));
  const Uuid message = *Uuid::FromBytes(std::string(16, 'M'));
  EXPECT_EQ(EnvelopeAdditionalData(EnvelopeField::kNumber, key, message, "acme"),
            "\x01\x02" + std::string(16, 'K') + std::string(16, 'M') + "acme");
}

}  // namespace
}  // namespace postern::crypto
