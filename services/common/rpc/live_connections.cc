#include "services/common/rpc/live_connections.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_replace.h"
#include "services/common/base/strings.h"

namespace postern::rpc {
namespace {

// Ended connections that are read at once.
constexpr int kEventsMax = 64;
// What a handshake and the first call may take.
constexpr std::chrono::seconds kNewcomer{1};

// `ipv4:10.0.0.1:4711` or `ipv6:[2001:db8::1]:4711`; an IPv4 peer of an IPv6 socket is an IPv4 one.
// Empty when the peer is gone.
std::string PeerOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return StrCat("ipv4:", text.data(), ":", ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    return StrCat("ipv4:", text.data(), ":", ntohs(v6.sin6_port));
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return StrCat("ipv6:[", text.data(), "]:", ntohs(v6.sin6_port));
}

// gRPC escapes the brackets as in a URI. An address with a scope (link-local) stays unknown, which
// is the safe side.
std::string Unescaped(const std::string& peer) {
  return absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}});
}

}  // namespace

LiveConnections::LiveConnections(metrics::Registry& metrics)
    : open_(metrics.Gauge("postern_rpc_connections", "Connections open at the gRPC port.")),
      cut_(metrics.Counter("postern_rpc_connections_cut_total",
                           "Connections cut because their certificate was revoked, or not known "
                           "yet when one was.")) {}

LiveConnections::~LiveConnections() {
  for (const auto& [peer, connection] : by_peer_) close(connection.fd);
  if (epoll_ >= 0) close(epoll_);
}

absl::Status LiveConnections::Open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ >= 0) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot watch connections: ", std::strerror(errno)));
}

absl::Status LiveConnections::Add(int fd) {
  std::string peer = PeerOf(fd);
  if (peer.empty()) return absl::InvalidArgumentError("the peer is gone");
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return absl::ResourceExhaustedError(std::strerror(errno));
  const std::lock_guard lock(mutex_);
  if (by_peer_.contains(peer)) {
    close(own);
    return absl::InvalidArgumentError("another connection has the same peer address");
  }
  // No data wakes it: only the end of one direction or of both.
  epoll_event event{};
  event.events = EPOLLRDHUP;
  event.data.fd = own;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, own, &event) != 0) {
    const int error = errno;
    close(own);
    return absl::ResourceExhaustedError(std::strerror(error));
  }
  peer_of_fd_.emplace(own, peer);
  by_peer_.emplace(std::move(peer), Connection{own, std::chrono::steady_clock::now(), {}});
  open_.Set(static_cast<double>(by_peer_.size()));
  return absl::OkStatus();
}

bool LiveConnections::WantsCertificate(const std::string& peer) const {
  const std::string key = Unescaped(peer);
  const std::lock_guard lock(mutex_);
  const auto found = by_peer_.find(key);
  return found != by_peer_.end() && found->second.certificate.serial_hex.empty();
}

void LiveConnections::SetCertificate(const std::string& peer, tls::CertificateRef certificate) {
  const std::string key = Unescaped(peer);
  const std::lock_guard lock(mutex_);
  const auto found = by_peer_.find(key);
  if (found != by_peer_.end()) found->second.certificate = std::move(certificate);
}

std::size_t LiveConnections::CutRevoked(const Revoked& revoked) {
  std::size_t cut = 0;
  const auto silent = std::chrono::steady_clock::now() - kNewcomer;
  const std::lock_guard lock(mutex_);
  for (const auto& [peer, connection] : by_peer_) {
    const tls::CertificateRef& certificate = connection.certificate;
    const bool known = !certificate.serial_hex.empty();
    if (known ? !revoked(certificate) : connection.since > silent) continue;
    shutdown(connection.fd, SHUT_RDWR);
    ++cut;
  }
  cut_.Increment(static_cast<double>(cut));
  return cut;
}

void LiveConnections::ForgetEnded() {
  std::array<epoll_event, kEventsMax> events{};
  const std::lock_guard lock(mutex_);
  const int count = epoll_wait(epoll_, events.data(), kEventsMax, 0);
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    // HTTP/2 has no half-closed connections: when the peer has ended, so has gRPC.
    shutdown(fd, SHUT_RDWR);
    const auto peer = peer_of_fd_.find(fd);
    by_peer_.erase(peer->second);
    peer_of_fd_.erase(peer);
    // By hand: closing one of two descriptors does not take the socket out of the set.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    close(fd);
  }
  open_.Set(static_cast<double>(by_peer_.size()));
}

std::size_t LiveConnections::size() const {
  const std::lock_guard lock(mutex_);
  return by_peer_.size();
}

}  // namespace postern::rpc
