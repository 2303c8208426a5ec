#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/http/message.h"
#include "services/common/metrics/metrics.h"

namespace postern::http {

// Answers requests. One handler per lane: all its calls run on the lane's thread, many at a time.
class Handler {
 public:
  virtual ~Handler() = default;
  // Must return an answer; an exception that escapes becomes a 500.
  virtual boost::asio::awaitable<Response> Handle(Request request) = 0;
  // The answer to a request that the server itself refuses (bad framing: 400, 411, 413, 431, 501,
  // timeouts: 408, draining: 503). `detail` says in one sentence what was wrong. The connection is
  // closed after it.
  virtual Response Refuse(int status, std::string_view detail) = 0;
};

// Times are kept to within half a second: one timer of the lane looks after all connections.
struct Limits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 64 * 1024;
  std::size_t connections = 10'000;  // Of one lane.
  std::chrono::milliseconds handshake_timeout{10'000};
  // From the first byte of a request to the end of its header.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{20'000};  // For the whole body.
  std::chrono::milliseconds write_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};  // Between requests on one connection.
};

// One thread's share of the server: an io_context that the owner runs on exactly one thread, and
// the handler that lives there.
struct Lane {
  boost::asio::io_context* io = nullptr;
  Handler* handler = nullptr;
};

// Decides after the TLS handshake whether a peer may speak at all; an error closes the connection.
// Called on the lane's thread.
using PeerCheck = std::function<absl::Status(const tls::PeerCertificate&)>;

// HTTP/1.1 server over mutual TLS (or plain, for operations ports). Requests with a body need
// exactly one Content-Length; any Transfer-Encoding, more or less than one Host, and anything else
// that could be read two ways is refused and the connection closed (RFC 9112, 11.2). Every
// connection belongs to one lane for life; nothing is shared between lanes on the way of a request.
// Several lanes share the port by SO_REUSEPORT: the kernel spreads the connections over them. The
// handlers, the metrics and the lanes' io_contexts outlive the server.
class Server {
 public:
  // `tls` may be null: plain HTTP. `name` is the label `listener` of the metrics.
  Server(std::string name, std::vector<Lane> lanes, std::shared_ptr<boost::asio::ssl::context> tls,
         Limits limits, PeerCheck peer_check, metrics::Registry& metrics);
  ~Server();

  // Binds and starts to accept. `port` 0 takes a free one. Unavailable when the address is taken,
  // with address and reason.
  absl::Status Listen(const std::string& address, std::uint16_t port);
  std::uint16_t port() const;

  // First phase of stopping: closes the listener, idle connections and, after their answer, busy
  // ones. Thread-safe.
  void StopAccepting();
  // Second phase: waits until no connection is left or `limit` has passed, then cuts what is left.
  // Called from a thread that is no lane's. True when nothing had to be cut.
  bool AwaitIdle(std::chrono::milliseconds limit);
  // Asks the peer check again about every open connection and cuts those that it refuses now: after
  // a revocation. Thread-safe.
  void RecheckPeers();
  std::size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace postern::http
