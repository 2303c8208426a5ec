#include "tests/support/tls_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

#include "absl/strings/ascii.h"

namespace postern::test {
namespace {

int Connect(std::uint16_t port, std::chrono::milliseconds limit) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval time{};
  time.tv_sec = limit.count() / 1000;
  time.tv_usec = (limit.count() % 1000) * 1000;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

std::optional<RawAnswer> ParseHeader(std::string_view header) {
  RawAnswer answer;
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (!header.starts_with(kVersion)) return std::nullopt;
  answer.status = std::stoi(std::string(header.substr(kVersion.size(), 3)));
  std::size_t line = header.find("\r\n");
  while (line != std::string_view::npos && line + 2 < header.size()) {
    const std::size_t begin = line + 2;
    line = header.find("\r\n", begin);
    const std::string_view field = header.substr(begin, line - begin);
    const std::size_t colon = field.find(": ");
    if (colon == std::string_view::npos) return std::nullopt;
    std::string name(field.substr(0, colon));
    absl::AsciiStrToLower(&name);
    if (!answer.fields.emplace(name, field.substr(colon + 2)).second) return std::nullopt;
  }
  return answer;
}

}  // namespace

void TlsClient::SslDeleter::operator()(SSL* ssl) const { SSL_free(ssl); }
void TlsClient::ContextDeleter::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

TlsClient::TlsClient(const Options& options) {
  ::signal(SIGPIPE, SIG_IGN);
  fd_ = Connect(options.port, options.limit);
  connected_ = fd_ >= 0 && (options.plain || StartTls(options));
}

TlsClient::~TlsClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool TlsClient::StartTls(const Options& options) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = context_.get();
  if (options.tls_version != 0) {
    SSL_CTX_set_min_proto_version(context, options.tls_version);
    SSL_CTX_set_max_proto_version(context, options.tls_version);
    // Old versions are beneath OpenSSL's default security level; here the server has to refuse.
    if (options.tls_version < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  }
  if (options.http2) {
    constexpr std::array<unsigned char, 3> kH2{2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context, kH2.data(), kH2.size());
  }
  const tls::Files& files = options.files;
  if (!files.certificate.empty() &&
      (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)) {
    throw std::runtime_error("test client: cannot use " + files.certificate);
  }
  if (!files.trust.empty()) {
    SSL_CTX_load_verify_locations(context, files.trust.c_str(), nullptr);
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
  ssl_.reset(SSL_new(context));
  SSL_set_fd(ssl_.get(), fd_);
  if (!options.server_name.empty()) {
    SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
  }
  if (options.resume != nullptr) SSL_set_session(ssl_.get(), options.resume);
  ERR_clear_error();
  return SSL_connect(ssl_.get()) == 1;
}

bool TlsClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const int size = static_cast<int>(bytes.size());
    const auto sent = ssl_ != nullptr
                          ? SSL_write(ssl_.get(), bytes.data(), size)
                          : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void TlsClient::EndSending() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_.get());
  ::shutdown(fd_, SHUT_WR);
}

bool TlsClient::ReadMore() {
  std::array<char, 16 * 1024> part{};
  ERR_clear_error();
  errno = 0;
  const auto size = ssl_ != nullptr
                        ? SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()))
                        : static_cast<int>(::recv(fd_, part.data(), part.size(), 0));
  if (size > 0) {
    received_.append(part.data(), static_cast<std::size_t>(size));
    return true;
  }
  timed_out_ = errno == EAGAIN;
  reset_ = errno == ECONNRESET;
  return false;
}

std::optional<RawAnswer> TlsClient::ReadAnswer(bool head) {
  std::size_t end = std::string::npos;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!ReadMore()) return std::nullopt;
  }
  std::optional<RawAnswer> answer = ParseHeader(std::string_view(received_).substr(0, end + 2));
  received_.erase(0, end + 4);
  if (!answer || head) return answer;
  const auto length = answer->fields.find("content-length");
  const std::size_t size = length == answer->fields.end() ? 0 : std::stoul(length->second);
  while (received_.size() < size) {
    if (!ReadMore()) return std::nullopt;
  }
  answer->body = received_.substr(0, size);
  received_.erase(0, size);
  return answer;
}

std::optional<RawAnswer> TlsClient::Ask(std::string_view bytes) {
  if (!Send(bytes)) return std::nullopt;
  return ReadAnswer();
}

bool TlsClient::PeerCloses() { return received_.empty() && !ReadMore() && !timed_out_; }

bool TlsClient::SkipPast(std::string_view mark) {
  std::size_t at = std::string::npos;
  while ((at = received_.find(mark)) == std::string::npos) {
    if (!ReadMore()) return false;
  }
  received_.erase(0, at + mark.size());
  return true;
}

std::string TlsClient::ReadAll() {
  while (ReadMore()) continue;
  return received_;
}

SSL_SESSION* TlsClient::TakeSession() { return SSL_get1_session(ssl_.get()); }

}  // namespace postern::test
