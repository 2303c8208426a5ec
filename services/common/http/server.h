#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
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
  // The answer to a request that the server itself refuses: bad framing (400, 411, 413, 431, 501),
  // timeouts (408), too much open or in hand of one peer (429) or of all (503). `detail` says in
  // one sentence what was wrong. The connection is closed after it, except after too many requests.
  virtual Response Refuse(int status, std::string_view detail) = 0;
};

// Times are kept to within half a second: one timer of the lane looks after all connections.
struct Limits {
  // Bodies of more than `Limits::body_bytes`, for requests to one path.
  struct LargeBodies {
    std::string path;             // Empty: none.
    std::size_t body_bytes = 0;   // Of each at most.
    std::size_t at_one_time = 0;  // In hand of one lane; more: 503.
    std::size_t of_one_peer = 0;  // Of these; more: 429.
  };

  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 64 * 1024;
  LargeBodies large;
  // In all. Whoever has not shown a certificate yet makes room for who comes; when all have, who
  // comes waits until somebody leaves.
  std::size_t connections = 10'000;
  // Of one peer: more get the answer 429 and are closed.
  std::size_t connections_per_peer = 1'000;
  // Connections of one lane that have not shown a certificate: past it the oldest is closed.
  std::size_t strangers = 1'000;
  // Handled at one time, in all (more: 503) and of one peer (more: 429).
  std::size_t requests = 4'096;
  std::size_t requests_per_peer = 1'024;
  std::chrono::milliseconds handshake_timeout{10'000};
  // From the first byte of a request to the end of its header.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{20'000};  // For the whole body.
  std::chrono::milliseconds write_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};  // Between requests on one connection.
  // How long a draining server waits for a request on an idle connection, to answer it with
  // `Connection: close`: a connection that is closed without a word may have one under way.
  std::chrono::milliseconds linger{3'000};
};

// One thread's share of the server: an io_context that the owner runs on exactly one thread, and
// the handler that lives there.
struct Lane {
  boost::asio::io_context* io = nullptr;
  Handler* handler = nullptr;
};

// Decides after the TLS handshake whether a peer may speak at all; an error closes the connection.
// `server_name`: what the peer connected to (SNI), empty when it did not say. Thread-safe: called
// on the lanes' threads.
using PeerCheck =
    std::function<absl::Status(const tls::PeerCertificate&, std::string_view server_name)>;
// Whether a peer that was let in may stay.
using StayCheck = std::function<absl::Status(const tls::PeerCertificate&)>;

// HTTP/1.1 server over TLS (or plain, for operations ports). Whether clients must show a
// certificate is the TLS context's to say: tls::ServerContext or tls::BrowserContext; those who
// need not are nobody in particular, so limits by peer and the peer check do not apply to them.
// Requests with a body need exactly one Content-Length; any Transfer-Encoding, more or less than
// one Host, and anything else that could be read two ways is refused and the connection closed (RFC
// 9112, 11.2). Every connection belongs to one lane for life; nothing is shared between lanes on
// the way of a request. Several lanes share the port by SO_REUSEPORT: the kernel spreads the
// connections over them. The handlers, the metrics and the lanes' io_contexts outlive the server.
class Server {
 public:
  // `tls` may be null: plain HTTP. `name` is the label `listener` of the metrics.
  Server(std::string name, std::vector<Lane> lanes, std::shared_ptr<boost::asio::ssl::context> tls,
         Limits limits, PeerCheck peer_check, metrics::Registry& metrics);
  ~Server();

  // Binds and starts to accept. `port` 0 takes a free one. Unavailable when the address is taken,
  // with address and reason.
  absl::Status Listen(const std::string& address, std::uint16_t port);
  // Starts to accept on a socket that listens already and that others may accept on, too: by this a
  // new process takes over from an old one without a moment in which nobody does. Takes
  // `descriptor` over. InvalidArgument when it is no such socket.
  absl::Status Adopt(int descriptor);
  std::uint16_t port() const;

  // First phase of stopping: closes the listener, busy connections after their answer, idle ones
  // after their next answer or Limits::linger. Thread-safe.
  void StopAccepting();
  // Second phase: waits until no connection is left or `limit` has passed, then cuts what is left.
  // Called from a thread that is no lane's. True when nothing had to be cut.
  bool AwaitIdle(std::chrono::milliseconds limit);
  // Asks about every certificate that is connected and cuts the connections of those that may not
  // stay, whatever they do. To be called after what the check looks at has changed: a connection is
  // in the registry before its own peer check, so none falls between. Thread-safe.
  void RecheckPeers(const StayCheck& may_stay);
  // New connections use another TLS context from now on; those that are open keep theirs. Only for
  // a server that was made with one. Thread-safe.
  void UseContext(std::shared_ptr<boost::asio::ssl::context> tls);
  std::size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace postern::http
