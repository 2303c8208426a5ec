#include "certs/handshake.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_error.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/tls/context.h"
#include "services/common/tls/identity.h"

namespace postern::certs {
namespace {

using SslPtr = std::unique_ptr<SSL, crypto::OpenSslFree<&SSL_free>>;

// Time in which the other side's verdict must have come.
constexpr std::chrono::milliseconds kVerdict{500};

void SetTimeout(int fd, std::chrono::milliseconds timeout) {
  timeval limit{};
  limit.tv_sec = timeout.count() / 1000;
  limit.tv_usec = timeout.count() % 1000 * 1000;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

absl::StatusOr<int> Dial(const std::string& host, std::uint16_t port,
                         std::chrono::milliseconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), StrCat(port).c_str(), &hints, &found) != 0) {
    return absl::UnavailableError(StrCat("host ", host, " is not known"));
  }
  const absl::Cleanup free_addresses = [found] { ::freeaddrinfo(found); };
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SetTimeout(fd, timeout);
    if (::connect(fd, one->ai_addr, one->ai_addrlen) == 0) return fd;
    error = errno;
    ::close(fd);
  }
  return absl::UnavailableError(
      StrCat("cannot connect to ", host, ":", port, ": ", std::strerror(error)));
}

std::string Peer(const SSL* ssl) {
  const crypto::X509Ptr certificate(SSL_get1_peer_certificate(ssl));
  const auto peer = tls::ReadPeerCertificate(certificate.get());
  return peer.ok() ? peer->id.ToString() : std::string(peer.status().message());
}

std::string Why(const SSL* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  const std::string reason = crypto::OpenSslReason();
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  return reason == "unknown reason" ? "the connection was closed" : reason;
}

HandshakeResult Finish(SSL* ssl, int done) {
  HandshakeResult result;
  result.accepted = done == 1;
  if (!result.accepted) {
    result.reason = Why(ssl);
    return result;
  }
  result.version = SSL_get_version(ssl);
  result.cipher = SSL_get_cipher_name(ssl);
  result.peer = Peer(ssl);
  return result;
}

// Whether the other side took back its hand: an alert, or the end of the connection.
void AwaitVerdict(SSL* ssl, int fd, HandshakeResult& result) {
  pollfd wait{fd, POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(kVerdict.count())) != 1) return;
  char byte = 0;
  ERR_clear_error();
  const int got = SSL_peek(ssl, &byte, 1);
  if (got > 0 || SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ) return;
  result.accepted = false;
  result.reason = Why(ssl);
}

}  // namespace

absl::StatusOr<HandshakeResult> Connect(const std::string& host, std::uint16_t port,
                                        const std::string& name, const tls::Files& files,
                                        std::chrono::milliseconds timeout) {
  const auto context = tls::ClientContext(files);
  if (!context.ok()) return context.status();
  const auto fd = Dial(host, port, timeout);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { ::close(*fd); };
  const SslPtr ssl(SSL_new((*context)->native_handle()));
  if (!name.empty()) {
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    SSL_set1_host(ssl.get(), name.c_str());
  }
  constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  SSL_set_alpn_protos(ssl.get(), kProtocols, sizeof kProtocols - 1);
  SSL_set_fd(ssl.get(), *fd);
  ERR_clear_error();
  HandshakeResult result = Finish(ssl.get(), SSL_connect(ssl.get()));
  if (result.accepted) AwaitVerdict(ssl.get(), *fd, result);
  return result;
}

absl::Status Listen(std::uint16_t port, int connections, const tls::Files& files,
                    std::chrono::milliseconds timeout, std::ostream& out) {
  const auto context = tls::ServerContext(files);
  if (!context.ok()) return context.status();
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const absl::Cleanup close_listener = [listener] { ::close(listener); };
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 16) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return absl::UnavailableError(
        StrCat("cannot listen on 127.0.0.1:", port, ": ", std::strerror(errno)));
  }
  out << "listening on 127.0.0.1:" << ntohs(address.sin_port) << std::endl;
  for (int i = 0; i < connections; ++i) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return absl::UnavailableError(StrCat("accept: ", std::strerror(errno)));
    const absl::Cleanup close_fd = [fd] { ::close(fd); };
    SetTimeout(fd, timeout);
    const SslPtr ssl(SSL_new((*context)->native_handle()));
    SSL_set_fd(ssl.get(), fd);
    ERR_clear_error();
    const HandshakeResult result = Finish(ssl.get(), SSL_accept(ssl.get()));
    out << Describe(result) << std::endl;
    if (!result.accepted) continue;
    // An end from here would look like a refusal: the other side hangs up.
    char byte = 0;
    SSL_read(ssl.get(), &byte, 1);
    SSL_shutdown(ssl.get());
  }
  return absl::OkStatus();
}

std::string Describe(const HandshakeResult& result) {
  if (!result.accepted) return StrCat("refused: ", result.reason);
  return StrCat("accepted: ", result.version, " ", result.cipher, ", peer ", result.peer);
}

}  // namespace postern::certs
