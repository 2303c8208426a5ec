#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/certificate.h"

namespace postern::ctl {

// Where a key comes from and where the certificate goes.
struct CertificateFiles {
  std::string csr_file;  // Empty: a new key is made here and never leaves this machine.
  std::string key_file;  // Instead of a new key: this one, for a running program's certificate.
  std::string key_kind = "ec-p256";
  std::string out;            // Path without `.pem` and `.key`.
  std::string pkcs12_file;    // Instead of both, for a new key.
  std::string password_file;  // Of the PKCS#12 file.
};

// A request to send, and the key that belongs to it if it is new.
struct CertificateOrder {
  std::string csr;
  crypto::KeyPtr key;
};

// Checks everything that could fail later, so that no certificate is issued in vain.
absl::StatusOr<CertificateOrder> PrepareOrder(const CertificateFiles& files,
                                              const std::string& name);
// Writes the key (mode 0600) and the chain; gives the path of what to look at.
absl::StatusOr<std::string> WriteOrder(const CertificateFiles& files, const CertificateOrder& order,
                                       const std::string& name, const std::string& chain_pem);

// The first certificate of a PEM file, or FailedPrecondition naming it.
absl::StatusOr<crypto::X509Ptr> ReadCertificateFile(const std::string& path);

// The serial number that `text` is, or that the certificate file of that path has.
absl::StatusOr<std::string> SerialOf(const std::string& text);

}  // namespace postern::ctl
