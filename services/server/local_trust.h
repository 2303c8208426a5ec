#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/certificates/trust_feed.h"
#include "services/common/db/executor.h"
#include "services/common/http/ops_server.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/live_connections.h"
#include "services/common/trust/member.h"
#include "services/server/settings.h"

namespace postern::server {

// Where this server renews its own certificate: what is configured, or its own port.
std::string RenewalTarget(const Settings& settings);

// The server's own use of the trust that it gives out: it hears of each change without a connection
// to itself, and cuts the connections of whom it lets in no more.
class LocalTrust {
 public:
  // All must outlive this. `own_certificate` is the file of the server's own.
  LocalTrust(db::Executor& database, trust::Member& member, std::string own_certificate,
             rpc::LiveConnections& connections, metrics::Registry& metrics);

  // Reads the trust from the database; from then on follows it. The database's error.
  absl::Status Start() { return feed_.Start(); }
  certificates::TrustFeed& feed() { return feed_; }

  // Cuts every connection that the member would refuse now, and all of them once the server's own
  // certificate is revoked. Thread-safe.
  void CutRefused();
  // `/crl/<issuing CA>.crl`, for the operations port.
  std::optional<http::Response> CrlPage(std::string_view path) const;

 private:
  void Apply();
  bool Refused(const tls::CertificateRef& certificate) const;

  trust::Member& member_;
  const std::string own_certificate_;
  rpc::LiveConnections& connections_;
  certificates::TrustCursor cursor_;  // Of the feed's thread, or of Start's before there is one.
  certificates::TrustFeed feed_;
};

}  // namespace postern::server
