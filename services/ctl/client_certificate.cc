#include "services/ctl/client_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/tls/identity.h"

namespace postern::ctl {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

struct Free {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

std::unique_ptr<X509, Free> ParsePem(const std::string& pem) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::unique_ptr<X509, Free> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

}  // namespace

absl::StatusOr<std::string> ClientCertificateSha256(const std::string& pem_path,
                                                    const std::string& client_id) {
  const absl::StatusOr<std::string> pem = ReadFile(pem_path);
  if (!pem.ok()) return absl::FailedPreconditionError(pem.status().message());
  const std::unique_ptr<X509, Free> certificate = ParsePem(*pem);
  if (certificate == nullptr) {
    return absl::FailedPreconditionError(StrCat(pem_path, " holds no PEM certificate"));
  }
  const absl::StatusOr<tls::PeerCertificate> peer = tls::ReadPeerCertificate(certificate.get());
  if (!peer.ok()) {
    return absl::FailedPreconditionError(StrCat(pem_path, ": ", peer.status().message()));
  }
  if (peer->id.role != tls::Role::kClient || peer->id.name != client_id) {
    return absl::FailedPreconditionError(
        StrCat(pem_path, " belongs to ", peer->id.ToString(), ", not to client ", client_id));
  }
  if (peer->not_after_s <= NowMicros() / kMicrosPerSecond) {
    return absl::FailedPreconditionError(
        StrCat(pem_path, " ended at ", FormatRfc3339(peer->not_after_s * kMicrosPerSecond)));
  }
  return peer->sha256_hex;
}

}  // namespace postern::ctl
