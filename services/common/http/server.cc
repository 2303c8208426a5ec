#include "services/common/http/server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/http/lane_state.h"

namespace postern::http {
namespace {

namespace asio = boost::asio;
using Acceptor = LaneState::Acceptor;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int kBacklog = 4096;
// After the connections were cut, their coroutines need a moment to end.
constexpr std::chrono::milliseconds kCutLimit{1000};

absl::StatusOr<Acceptor> Bind(asio::io_context& io, const asio::ip::tcp::endpoint& endpoint,
                              bool share_port) {
  Acceptor acceptor(io);
  boost::system::error_code ec;
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(Acceptor::reuse_address(true), ec);
  if (!ec && share_port) acceptor.set_option(ReusePort(true), ec);
  // Accepted sockets inherit it.
  if (!ec) acceptor.set_option(asio::ip::tcp::no_delay(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(kBacklog, ec);
  if (ec) {
    return absl::UnavailableError(StrCat("cannot listen on ", endpoint.address().to_string(),
                                         " port ", endpoint.port(), ": ", ec.message()));
  }
  return acceptor;
}

}  // namespace

struct Server::Impl {
  std::shared_ptr<Shared> shared;
  std::vector<std::shared_ptr<LaneState>> states;
  std::vector<Lane> lanes;
  std::uint16_t port = 0;
};

Server::Server(std::string name, std::vector<Lane> lanes,
               std::shared_ptr<boost::asio::ssl::context> tls, Limits limits, PeerCheck peer_check,
               metrics::Registry& metrics)
    : impl_(std::make_shared<Impl>()) {
  impl_->shared = std::make_shared<Shared>(std::move(name), std::move(tls), limits,
                                           std::move(peer_check), metrics);
  impl_->lanes = std::move(lanes);
  for (const Lane& lane : impl_->lanes) {
    impl_->states.push_back(std::make_shared<LaneState>(impl_->shared, lane));
  }
}

Server::~Server() { StopAccepting(); }

absl::Status Server::Listen(const std::string& address, std::uint16_t port) {
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(address, ec);
  if (ec) {
    return absl::InvalidArgumentError(StrCat("listen address ", address, ": ", ec.message()));
  }
  asio::ip::tcp::endpoint endpoint(ip, port);
  const bool share_port = impl_->lanes.size() > 1;
  if (share_port) {
    // Lanes share the port by SO_REUSEPORT, with which a second instance would bind happily and
    // take half of the connections: so the port must be free without it first.
    const absl::StatusOr<Acceptor> probe = Bind(*impl_->lanes.front().io, endpoint, false);
    if (!probe.ok()) return probe.status();
  }
  std::vector<Acceptor> acceptors;
  for (const Lane& lane : impl_->lanes) {
    absl::StatusOr<Acceptor> acceptor = Bind(*lane.io, endpoint, share_port);
    if (!acceptor.ok()) return acceptor.status();
    endpoint.port(acceptor->local_endpoint().port());
    acceptors.push_back(*std::move(acceptor));
  }
  impl_->port = endpoint.port();
  for (std::size_t i = 0; i < acceptors.size(); ++i) {
    impl_->states[i]->Start(std::move(acceptors[i]));
  }
  return absl::OkStatus();
}

absl::Status Server::Adopt(int descriptor) {
  int listens = 0;
  socklen_t size = sizeof listens;
  sockaddr_storage address{};
  socklen_t address_size = sizeof address;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &address_size) != 0 ||
      (address.ss_family != AF_INET && address.ss_family != AF_INET6)) {
    return absl::InvalidArgumentError(
        StrCat("file descriptor ", descriptor, " is no TCP socket that listens"));
  }
  const auto protocol = address.ss_family == AF_INET ? asio::ip::tcp::v4() : asio::ip::tcp::v6();
  for (std::size_t i = 0; i < impl_->lanes.size(); ++i) {
    // All lanes accept from the one queue of the socket.
    const int own = i == 0 ? descriptor : ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    Acceptor acceptor(*impl_->lanes[i].io);
    boost::system::error_code ec;
    acceptor.assign(protocol, own, ec);
    if (!ec) acceptor.set_option(asio::ip::tcp::no_delay(true), ec);
    if (!ec) impl_->port = acceptor.local_endpoint(ec).port();
    if (ec) return absl::UnavailableError(StrCat("inherited socket: ", ec.message()));
    impl_->states[i]->Start(std::move(acceptor));
  }
  return absl::OkStatus();
}

std::uint16_t Server::port() const { return impl_->port; }

void Server::StopAccepting() {
  for (const auto& state : impl_->states) state->PostDrain();
}

bool Server::AwaitIdle(std::chrono::milliseconds limit) {
  StopAccepting();
  if (impl_->shared->open.AwaitNone(limit)) return true;
  for (const auto& state : impl_->states) state->PostCut();
  impl_->shared->open.AwaitNone(kCutLimit);
  return false;
}

void Server::RecheckPeers(const StayCheck& may_stay) {
  for (const auto& certificate : impl_->shared->peers.Certificates()) {
    if (may_stay(*certificate).ok()) continue;
    for (const auto& state : impl_->states) state->PostCutPeer(certificate->sha256_hex);
  }
}

void Server::UseContext(std::shared_ptr<boost::asio::ssl::context> tls) {
  impl_->shared->UseTls(std::move(tls));
}

std::size_t Server::connections() const { return impl_->shared->open.connections(); }

}  // namespace postern::http
