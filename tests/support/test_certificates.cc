#include "tests/support/test_certificates.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>

namespace postern::test {
namespace {

constexpr long kHour = 3600;
constexpr long kDay = 24 * kHour;
constexpr int kVersion3 = 2;

void Require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("test certificates: ") + what);
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Require(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// A certificate with everything but extensions and signature.
X509* MakeCertificate(EVP_PKEY* key, const std::string& common_name, long begin, long end) {
  X509* certificate = X509_new();
  X509_set_version(certificate, kVersion3);
  std::array<unsigned char, 16> serial{};
  Require(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1, "random serial");
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40);
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(certificate), begin);
  X509_gmtime_adj(X509_getm_notAfter(certificate), end);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return certificate;
}

void WriteCertificate(const std::string& path, X509* certificate) {
  BIO* file = BIO_new_file(path.c_str(), "w");
  Require(file != nullptr && PEM_write_bio_X509(file, certificate) == 1, "write certificate");
  BIO_free(file);
}

void WriteKey(const std::string& path, EVP_PKEY* key) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  Require(fd >= 0, "write key");
  BIO* file = BIO_new_fd(fd, BIO_CLOSE);
  Require(PEM_write_bio_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "write key");
  BIO_free(file);
}

}  // namespace

void TestCertificates::X509Deleter::operator()(X509* certificate) const { X509_free(certificate); }
void TestCertificates::KeyDeleter::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

TestCertificates::TestCertificates(const TestCertificates* parent) {
  std::string pattern = std::filesystem::temp_directory_path() / "postern-test-ca-XXXXXX";
  Require(::mkdtemp(pattern.data()) != nullptr, "temporary folder");
  folder_ = pattern;
  ca_key_.reset(EVP_EC_gen("P-256"));
  Require(ca_key_ != nullptr, "key");
  ca_.reset(MakeCertificate(ca_key_.get(), parent == nullptr ? "test root" : "test issuing CA",
                            -kHour, kDay));
  X509* issuer = parent == nullptr ? ca_.get() : parent->ca_.get();
  X509_set_issuer_name(ca_.get(), X509_get_subject_name(issuer));
  AddExtension(ca_.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(ca_.get(), issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(ca_.get(), issuer, NID_subject_key_identifier, "hash");
  EVP_PKEY* signer = parent == nullptr ? ca_key_.get() : parent->ca_key_.get();
  Require(X509_sign(ca_.get(), signer, EVP_sha256()) > 0, "sign");
  ca_file_ = folder_ + "/ca.pem";
  WriteCertificate(ca_file_, ca_.get());
}

TestCertificates::~TestCertificates() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

tls::Files TestCertificates::Leaf(const std::string& role, const std::string& name) {
  LeafOptions options;
  options.uri = std::string("spiffe://") + kTrustDomain + "/" + role + "/" + name;
  options.common_name = name;
  return Issue(options);
}

tls::Files TestCertificates::Issue(const LeafOptions& options) {
  std::unique_ptr<EVP_PKEY, KeyDeleter> key(EVP_EC_gen("P-256"));
  Require(key != nullptr, "key");
  const long begin = options.expired ? -kDay : -kHour;
  const long end = options.expired ? -kHour : kDay;
  std::unique_ptr<X509, X509Deleter> certificate(
      MakeCertificate(key.get(), options.common_name, begin, end));
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(ca_.get()));
  std::string names = "DNS:localhost,IP:127.0.0.1";
  if (!options.uri.empty()) names += ",URI:" + options.uri;
  for (const std::string& uri : options.more_uris) names += ",URI:" + uri;
  AddExtension(certificate.get(), ca_.get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(certificate.get(), ca_.get(), NID_key_usage, "critical,digitalSignature");
  AddExtension(certificate.get(), ca_.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  AddExtension(certificate.get(), ca_.get(), NID_subject_alt_name, names);
  Require(X509_sign(certificate.get(), ca_key_.get(), EVP_sha256()) > 0, "sign");
  const std::string stem = folder_ + "/" + std::to_string(++issued_);
  tls::Files files;
  files.certificate = stem + "-certificate.pem";
  files.key = stem + "-key.pem";
  files.trust = ca_file_;
  WriteCertificate(files.certificate, certificate.get());
  WriteKey(files.key, key.get());
  return files;
}

}  // namespace postern::test
