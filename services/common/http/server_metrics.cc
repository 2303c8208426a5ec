#include "services/common/http/lane_state.h"

namespace postern::http {
namespace {

constexpr const char* kRefusalReasons[] = {"malformed",
                                           "target",
                                           "host",
                                           "length",
                                           "transfer_encoding",
                                           "expectation",
                                           "header_limit",
                                           "body_limit",
                                           "timeout",
                                           "handler_failed",
                                           "connections_of_peer",
                                           "requests_of_peer",
                                           "requests",
                                           "large_bodies_of_peer",
                                           "large_bodies"};
constexpr const char* kRejectionReasons[] = {
    "missing", "unknown_ca", "expired", "not_yet_valid", "invalid", "identity", "not_admitted"};
constexpr const char* kConnectionsHelp = "Connections that are open.";
constexpr const char* kPausesHelp = "Pauses of 100 ms in accepting connections.";
constexpr const char* kCutHelp =
    "Connections cut: strangers who made room, and peers who may not stay.";

}  // namespace

ServerMetrics::ServerMetrics(metrics::Registry& registry, const std::string& listener, bool tls)
    : connections(
          registry.Gauge("postern_http_connections", kConnectionsHelp, {{"listener", listener}})),
      accept_pauses_limit(registry.Counter("postern_http_accept_pauses_total", kPausesHelp,
                                           {{"listener", listener}, {"reason", "limit"}})),
      accept_pauses_error(registry.Counter("postern_http_accept_pauses_total", kPausesHelp,
                                           {{"listener", listener}, {"reason", "error"}})),
      cut_strangers(registry.Counter("postern_http_connections_cut_total", kCutHelp,
                                     {{"listener", listener}, {"reason", "stranger"}})),
      cut_peers(registry.Counter("postern_http_connections_cut_total", kCutHelp,
                                 {{"listener", listener}, {"reason", "peer"}})) {
  for (const char* reason : kRefusalReasons) {
    refused_[reason] = &registry.Counter("postern_http_refused_total",
                                         "Requests that the server refused by itself.",
                                         {{"listener", listener}, {"reason", reason}});
  }
  if (!tls) return;
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    handshakes_[version] =
        &registry.Counter("postern_tls_handshakes_total", "TLS handshakes by result.",
                          {{"listener", listener}, {"result", "ok"}, {"version", version}});
  }
  handshakes_[""] =
      &registry.Counter("postern_tls_handshakes_total", "TLS handshakes by result.",
                        {{"listener", listener}, {"result", "failed"}, {"version", "none"}});
  for (const char* reason : kRejectionReasons) {
    certificates_rejected_[reason] = &registry.Counter(
        "postern_client_cert_rejections_total", "Connections refused for their certificate.",
        {{"listener", listener}, {"reason", reason}});
  }
  handshake_seconds_ = &registry.MakeHistogram("postern_tls_handshake_duration_seconds",
                                               "From accept to the end of the TLS handshake.",
                                               metrics::RequestBuckets(), {{"listener", listener}});
}

void ServerMetrics::Count(const std::map<std::string, prometheus::Counter*, std::less<>>& counters,
                          std::string_view label) {
  const auto found = counters.find(label);
  if (found != counters.end()) found->second->Increment();
}

void ServerMetrics::CountRefused(std::string_view reason) { Count(refused_, reason); }

void ServerMetrics::CountHandshake(std::string_view version, double seconds) {
  Count(handshakes_, version);
  handshake_seconds_->Observe(seconds);
}

void ServerMetrics::CountCertificateRejected(std::string_view reason) {
  Count(certificates_rejected_, reason);
}

}  // namespace postern::http
