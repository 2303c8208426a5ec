#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "services/common/http/ops_server.h"
#include "services/common/metrics/metrics.h"

namespace postern::app {

// Watches when the process's own certificate ends: a peer whose certificate has died sees only
// UNAVAILABLE and would retry for ever. Exports
// `postern_tls_certificate_not_after_timestamp_seconds{usage}`. Thread-safe.
class CertificateWatch {
 public:
  CertificateWatch(std::string usage, std::string pem_path, metrics::Registry& metrics);
  // Passes; warns in the last quarter of its life, or the last two days of a long one; fails once
  // expired. Reads the file again at most once a second.
  http::Check Check();

 private:
  const std::string usage_;
  const std::string pem_path_;
  prometheus::Gauge& not_after_;
  std::atomic<std::int64_t> not_after_s_{0};
  std::atomic<std::int64_t> warn_below_s_{0};
  std::atomic<std::int64_t> read_at_us_{0};
};

}  // namespace postern::app
