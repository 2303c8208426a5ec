#include "services/common/pki/csr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509.h>

#include <functional>
#include <string>
#include <vector>

#include "services/common/pki/key.h"
#include "services/common/pki/pem.h"

namespace postern::pki {
namespace {

using ::testing::HasSubstr;

std::string Der(X509_REQ* request) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request, &der);
  std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

// A request of which `change` alters something before it is signed with `signer` and `digest`.
std::string Request(EVP_PKEY* key, EVP_PKEY* signer, const EVP_MD* digest,
                    const std::function<void(X509_REQ*)>& change = {}) {
  const crypto::X509RequestPtr request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), key);
  if (change) change(request.get());
  EXPECT_GT(X509_REQ_sign(request.get(), signer, digest), 0);
  return Der(request.get());
}

TEST(CsrTest, ReadsWhatMakeCsrMakesAsPemAndDer) {
  for (const KeyKind kind : {KeyKind::kEcP256, KeyKind::kEcP384, KeyKind::kRsa3072}) {
    const crypto::KeyPtr key = GenerateKey(kind);
    const std::string pem = MakeCsr(key.get(), "acme");
    const auto csr = ParseCsr(pem);
    ASSERT_TRUE(csr.ok()) << csr.status();
    EXPECT_EQ(csr->common_name, "acme");
    EXPECT_TRUE(SamePublicKey(csr->public_key.get(), key.get()));
    EXPECT_TRUE(ParseCsr(*DerOf(pem, "CERTIFICATE REQUEST")).ok());
  }
}

TEST(CsrTest, SaysWhatIsWrong) {
  const crypto::KeyPtr key = GenerateKey(KeyKind::kEcP256);
  const crypto::KeyPtr other = GenerateKey(KeyKind::kEcP256);
  const crypto::KeyPtr weak(EVP_RSA_gen(1024));
  const crypto::KeyPtr strong = GenerateKey(KeyKind::kRsa3072);
  const crypto::KeyPtr foreign(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const std::string pem = MakeCsr(key.get(), "acme");
  const std::string der = *DerOf(pem, "CERTIFICATE REQUEST");
  std::string flipped = der;
  flipped[flipped.size() - 3] = static_cast<char>(flipped[flipped.size() - 3] ^ 1);
  const crypto::X509RequestPtr unsigned_request(X509_REQ_new());
  X509_REQ_set_pubkey(unsigned_request.get(), key.get());
  X509_REQ_sign(unsigned_request.get(), key.get(), EVP_sha256());
  const ASN1_BIT_STRING* signature = nullptr;
  X509_REQ_get0_signature(unsigned_request.get(), &signature, nullptr);
  ASN1_BIT_STRING_set(const_cast<ASN1_BIT_STRING*>(signature), nullptr, 0);
  const auto two_names = [](X509_REQ* request) {
    AppendToName(X509_REQ_get_subject_name(request), "CN", "a");
    AppendToName(X509_REQ_get_subject_name(request), "CN", "b");
  };
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"", "it is empty"},
      {"hello", "neither PEM nor DER"},
      {std::string(kCsrBytesMax + 1, 'a'), "are the most"},
      {der.substr(0, der.size() / 2), "torn"},
      {pem.substr(0, pem.size() / 2), "no whole PEM block"},
      {pem + pem, "more than one"},
      {der + "x", "bytes after its end"},
      {PemOf("hello", "CERTIFICATE REQUEST"), "neither PEM nor DER"},
      {PemOf(der, "CERTIFICATE"), "no whole PEM block"},
      {flipped, "signature is not of the key"},
      {Request(key.get(), other.get(), EVP_sha256()), "signature is not of the key"},
      {Der(unsigned_request.get()), "not signed"},
      {Request(weak.get(), weak.get(), EVP_sha256()), "1024 bits"},
      {Request(foreign.get(), foreign.get(), nullptr), "ED25519"},
      {Request(strong.get(), strong.get(), EVP_sha1()), "sha1"},
      {Request(key.get(), key.get(), EVP_sha256(), two_names), "several common names"},
  };
  for (const auto& [request, reason] : cases) {
    const auto csr = ParseCsr(request);
    EXPECT_EQ(csr.status().code(), absl::StatusCode::kInvalidArgument) << reason;
    EXPECT_THAT(std::string(csr.status().message()), HasSubstr(reason));
  }
}

}  // namespace
}  // namespace postern::pki
