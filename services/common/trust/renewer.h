#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/common/base/file_mark.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/http/ops_server.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/tls/settings.h"
#include "services/common/trust/trust_state.h"

namespace postern::trust {

// When a certificate that lives from `begin_s` to `end_s` (seconds since the Unix epoch) is
// renewed: at two thirds of its life, less up to a twentieth; `jitter` is 0 to 1.
std::int64_t RenewalTime(std::int64_t begin_s, std::int64_t end_s, double jitter);
// How long after a failure it is tried again: a minute, or less where life is short.
std::int64_t RetrySeconds(std::int64_t begin_s, std::int64_t end_s);

// Renews one certificate of this process through the main server before it ends, with a new key of
// the same kind (ReplaceKeyPair). Exports when it ends. Look from one thread; Check from any.
class Renewer {
 public:
  // `usage` (`mesh`, `listen`) names it in metrics and logs. `state` and `stub` must outlive this.
  Renewer(std::string usage, tls::Files files, v1::CertificateService::StubInterface& stub,
          const TrustState& state, metrics::Registry& metrics);

  // Reads the file when it changed, and renews when it is time; blocks for a call, 5 s at most.
  // `now_s`: seconds since the Unix epoch.
  void Look(std::int64_t now_s);
  // Passes, or warns when the last try failed or the certificate has ended.
  http::Check Check() const;

 private:
  struct Own {
    crypto::X509Ptr certificate;
    std::string pem;
    std::string uri;
    std::string common_name;
    std::string key_type;
    std::int64_t begin_s = 0;
    std::int64_t end_s = 0;
  };

  absl::Status Read();
  absl::Status Renew();
  absl::Status Verify(const std::string& chain_pem, EVP_PKEY* key) const;
  void Plan(std::int64_t now_s);
  void Note(const absl::Status& status);

  const std::string usage_;
  const tls::Files files_;
  v1::CertificateService::StubInterface& stub_;
  const TrustState& state_;
  prometheus::Gauge& not_after_;
  prometheus::Counter& renewed_;
  prometheus::Counter& failed_;
  std::mt19937 random_{std::random_device{}()};
  Own own_;
  std::optional<FileMark> read_;  // The file as it was read.
  std::int64_t next_s_ = 0;
  log::RateLimit ended_limit_{60'000};

  mutable std::mutex mutex_;
  std::string fault_;  // Of the last try; empty when it was good.
};

}  // namespace postern::trust
