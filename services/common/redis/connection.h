#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/redis/reply.h"
#include "services/common/tls/context_source.h"

namespace postern::redis {

struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;
  std::string password;
  std::string client_name;                  // Shown by CLIENT LIST.
  std::shared_ptr<tls::ContextSource> tls;  // Asked at each connect: renewed files count at once.
  std::chrono::milliseconds connect_timeout{2000};  // TCP, TLS and AUTH together.
};

// One connection to Redis over TLS, RESP2. Sends pipelines and matches the replies in order. A
// connection whose exchange failed or timed out is broken for good: its replies would shift; make a
// new one. All calls on the connection's executor, one exchange at a time, except Close.
class Connection {
 public:
  explicit Connection(boost::asio::any_io_executor executor);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // TCP, TLS (host name verified), AUTH, CLIENT SETNAME. Unavailable, DeadlineExceeded, or
  // PermissionDenied for a refused password.
  boost::asio::awaitable<absl::Status> Connect(const Settings& settings);

  // Writes `wire`, which holds `replies` commands, and reads as many replies, within `timeout` in
  // all. Error replies are replies, not an error of the exchange. Unavailable when the peer went,
  // DeadlineExceeded at the timeout, DataLoss for a protocol error; after each of them the
  // connection is broken.
  boost::asio::awaitable<absl::StatusOr<std::vector<Reply>>> Exchange(
      std::string wire, std::size_t replies, std::chrono::milliseconds timeout);
  bool usable() const;
  // Ends a running exchange with Unavailable. On the connection's executor.
  void Close();

 private:
  struct Impl;
  std::shared_ptr<Impl>
      impl_;  // Running exchanges share it: the Connection may go before they end.
};

}  // namespace postern::redis
