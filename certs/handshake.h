#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/tls/settings.h"

// Tries a mutual TLS handshake, from either side, with the settings that Postern's programs use.
namespace postern::certs {

struct HandshakeResult {
  bool accepted = false;
  std::string version;  // `TLSv1.3`.
  std::string cipher;
  std::string peer;    // Its SPIFFE id, or why it has none.
  std::string reason;  // Why one side refused the other.
};

// Connects, shows the certificate, and waits a moment for the other side's verdict: with TLS 1.3 a
// refused certificate shows only after the handshake. `name` is verified against the peer's DNS
// names unless it is empty. Unavailable when nobody listens.
absl::StatusOr<HandshakeResult> Connect(const std::string& host, std::uint16_t port,
                                        const std::string& name, const tls::Files& files,
                                        std::chrono::milliseconds timeout);

// Listens on 127.0.0.1 (`port` 0: any), tells the port on `out`, and answers so many connections,
// telling each result on `out`. An error when the files cannot be used.
absl::Status Listen(std::uint16_t port, int connections, const tls::Files& files,
                    std::chrono::milliseconds timeout, std::ostream& out);

// One line for people.
std::string Describe(const HandshakeResult& result);

}  // namespace postern::certs
