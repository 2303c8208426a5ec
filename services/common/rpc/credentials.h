#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/tls/identity.h"
#include "services/common/tls/revocation_check.h"
#include "services/common/tls/settings.h"

namespace postern::rpc {

// Mutual TLS for a server: client certificates required, from the issuing CA in `files.trust` only.
// Files are watched: within two seconds new ones are used for new handshakes, certificate and key
// never one without the other. `check` may refuse a peer; it is asked
// in every handshake, resumed ones too (gRPC 1.51 issues tickets and cannot be told not to, and a
// ticket would pass by a CRL); null: nobody is asked. FailedPrecondition when the files are not
// usable now.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(
    const tls::Files& files, tls::RevocationCheck check = nullptr);

// Settings of a channel to the main server. Keepalive pings every 10 s; reconnects within a second.
struct ChannelSettings {
  std::string target;  // `host:port`, or `dns:///name:port`; several addresses are used in turn
                       // (round_robin).
  tls::Files files;
  std::string trust_domain;
  tls::RevocationCheck check;  // May refuse the server; null: nobody is asked.
};

// A channel that speaks only to a peer whose certificate names the role `server` of the trust
// domain (custom verifier, checked on every handshake, resumed ones too).
absl::StatusOr<std::shared_ptr<grpc::Channel>> Channel(const ChannelSettings& settings);

// Arguments every server sets: requests of 4 MiB, answers of 16 MiB, metadata 8 KiB, 100 streams a
// connection, keepalive as the channels need it, handshake limit 10 s, no SO_REUSEPORT.
void SetServerLimits(grpc::ServerBuilder& builder);

}  // namespace postern::rpc
