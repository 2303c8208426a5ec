#include "services/common/rpc/acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/log/log.h"

namespace postern::rpc {
namespace {

constexpr int kBacklog = 512;
// After an error of accept that will not pass by itself at once, such as too many open files.
constexpr int kPauseMs = 100;

absl::Status ErrorAt(const std::string& where, const char* what, const char* reason) {
  return absl::UnavailableError(StrCat("cannot ", what, " ", where, ": ", reason));
}

// A listening socket, or -1 with errno.
int OpenListener(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit it.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// The peer's or the network's fault: the next connection may be fine.
bool IsPassing(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == EPERM;
}

}  // namespace

Acceptor::Acceptor(grpc::ServerBuilder& builder,
                   std::shared_ptr<grpc::ServerCredentials> credentials,
                   LiveConnections& connections, metrics::Registry& metrics)
    : connections_(connections),
      grpc_(builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
          std::move(credentials))),
      accepted_(metrics.Counter("postern_rpc_connections_accepted_total",
                                "Connections taken at the gRPC port.")),
      failed_(metrics.Counter("postern_rpc_accept_errors_total",
                              "Attempts to take a connection that failed, such as for want of file "
                              "descriptors.")) {}

Acceptor::~Acceptor() { Stop(); }

absl::Status Acceptor::Listen(const std::string& address, std::uint16_t port) {
  const std::string where = StrCat(address, ":", port);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = StrCat(port);
  if (const int error = getaddrinfo(address.c_str(), service.c_str(), &hints, &found); error != 0) {
    return ErrorAt(where, "resolve", gai_strerror(error));
  }
  listener_ = OpenListener(*found);
  const int error = errno;
  freeaddrinfo(found);
  if (listener_ < 0) return ErrorAt(where, "listen at", std::strerror(error));
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return ErrorAt(where, "watch", std::strerror(errno));
  port_ = PortOf(listener_);
  return connections_.Open();
}

void Acceptor::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    eventfd_write(wake_, 1);
    thread_.join();
  }
  if (listener_ >= 0) close(std::exchange(listener_, -1));
  if (wake_ >= 0) close(std::exchange(wake_, -1));
}

void Acceptor::Run() {
  pthread_setname_np(pthread_self(), "rpc-accept");
  std::array<pollfd, 3> watched{};
  watched[0] = {listener_, POLLIN, 0};
  watched[1] = {wake_, POLLIN, 0};
  watched[2] = {connections_.ended_fd(), POLLIN, 0};
  while (true) {
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      log::Error("rpc_accept_stopped", "error", std::strerror(errno));
      return;
    }
    if (watched[1].revents != 0) return;
    // First: what has ended frees descriptors.
    if (watched[2].revents != 0) connections_.ForgetEnded();
    if (watched[0].revents != 0) AcceptAll();
  }
}

void Acceptor::AcceptAll() {
  while (TakeOne()) {
  }
}

// Whether there may be another one at once.
bool Acceptor::TakeOne() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (IsPassing(errno)) return true;
    PauseAccepting(std::strerror(errno));
    return false;
  }
  if (const absl::Status followed = connections_.Add(fd); !followed.ok()) {
    close(fd);
    if (!absl::IsResourceExhausted(followed)) return true;
    PauseAccepting(ToStd(followed.message()));
    return false;
  }
  accepted_.Increment();
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.listener_fd = -1;
  connection.fd = fd;
  grpc_->HandleNewConnection(&connection);
  return true;
}

void Acceptor::PauseAccepting(std::string_view reason) {
  static log::RateLimit warn_limit;
  failed_.Increment();
  if (warn_limit.Allow()) log::Warn("rpc_accept_failed", "error", reason);
  // Waits on the stop signal, too.
  pollfd stop{wake_, POLLIN, 0};
  poll(&stop, 1, kPauseMs);
}

}  // namespace postern::rpc
