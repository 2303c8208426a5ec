#include "services/ctl/http_get.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "services/common/base/strings.h"
#include "services/ctl/limits.h"

namespace postern::ctl {
namespace {

struct Target {
  std::string host;
  std::string port;
};

absl::StatusOr<Target> ParseUrl(const std::string& url) {
  std::string_view rest = url;
  constexpr std::string_view kScheme = "http://";
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && colon > 0 && rest.find('/') == std::string_view::npos) {
      return Target{std::string(rest.substr(0, colon)), std::string(rest.substr(colon + 1))};
    }
  }
  return absl::InvalidArgumentError(StrCat(url, " is not of the form http://host:port"));
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status SystemError(std::string_view what) {
  return absl::UnavailableError(StrCat(what, ": ", std::strerror(errno)));
}

absl::StatusOr<std::unique_ptr<Socket>> Connect(const Target& target,
                                                std::chrono::milliseconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found);
  if (error != 0) return absl::UnavailableError(::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  const timeval limit{timeout.count() / 1000, timeout.count() % 1000 * 1000};
  absl::Status status = absl::UnavailableError("no address");
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return SystemError("socket");
    auto socket = std::make_unique<Socket>(fd);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(fd, address->ai_addr, address->ai_addrlen) == 0) return socket;
    status = SystemError("connect");
  }
  return status;
}

absl::StatusOr<std::string> Exchange(const Socket& socket, const std::string& request) {
  // The request fits into the socket's buffer: it goes in one piece or not at all.
  if (::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return SystemError("send");
  }
  std::string answer;
  std::array<char, 4096> buffer;
  while (answer.size() < kOpsAnswerBytesMax) {
    const ssize_t size = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (size == 0) break;
    if (size < 0) return SystemError("receive");
    answer.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return answer;
}

}  // namespace

absl::StatusOr<HttpAnswer> HttpGet(const std::string& base_url, const std::string& path,
                                   std::chrono::milliseconds timeout) {
  const absl::StatusOr<Target> target = ParseUrl(base_url);
  if (!target.ok()) return target.status();
  const auto socket = Connect(*target, timeout);
  if (!socket.ok()) return socket.status();
  const absl::StatusOr<std::string> text =
      Exchange(**socket, StrCat("GET ", path, " HTTP/1.1\r\nHost: ", target->host, ":",
                                target->port, "\r\nConnection: close\r\n\r\n"));
  if (!text.ok()) return text.status();

  HttpAnswer answer;
  const std::size_t body = text->find("\r\n\r\n");
  if (!absl::StartsWith(*text, "HTTP/1.1 ") || body == std::string::npos ||
      !absl::SimpleAtoi(text->substr(9, 3), &answer.status)) {
    return absl::UnavailableError("the answer is not HTTP");
  }
  answer.body = text->substr(body + 4);
  return answer;
}

}  // namespace postern::ctl
