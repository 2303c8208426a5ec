#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "services/common/tls/settings.h"

namespace postern::test {

// What a certificate of a test says. All have DNS name `localhost` and IP 127.0.0.1, and serve for
// clients and servers.
struct LeafOptions {
  std::string uri;  // A URI SAN; none when empty.
  std::vector<std::string> more_uris;
  std::string common_name = "test";
  bool expired = false;  // It ended an hour ago; otherwise it began an hour ago and lasts a day.
};

// A certificate authority of a test's own, with its files in a temporary folder: PEM, P-256, keys
// with mode 0600. A second instance is the wrong authority. Throws std::runtime_error when
// something fails. Not thread-safe.
class TestCertificates {
 public:
  static constexpr const char* kTrustDomain = "test.postern";

  // With `parent`, an issuing authority under it; otherwise a self-signed one.
  explicit TestCertificates(const TestCertificates* parent = nullptr);
  // Removes the folder.
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  // `spiffe://test.postern/<role>/<name>`, CN `<name>`; trusts this authority.
  tls::Files Leaf(const std::string& role, const std::string& name);
  tls::Files Issue(const LeafOptions& options);
  // The authority's own certificate.
  const std::string& ca_file() const { return ca_file_; }
  const std::string& folder() const { return folder_; }

 private:
  struct X509Deleter {
    void operator()(X509* certificate) const;
  };
  struct KeyDeleter {
    void operator()(EVP_PKEY* key) const;
  };

  std::string folder_;
  std::string ca_file_;
  std::unique_ptr<X509, X509Deleter> ca_;
  std::unique_ptr<EVP_PKEY, KeyDeleter> ca_key_;
  int issued_ = 0;
};

}  // namespace postern::test
