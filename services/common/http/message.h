#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/tls/identity.h"

namespace postern::http {

// A request as handlers see it: framing checked, body complete and within its limit.
struct Request {
  std::string method;                                       // As sent, such as `POST`.
  std::string path;                                         // Without query, not decoded.
  std::string query;                                        // Without the question mark.
  std::vector<std::pair<std::string, std::string>> fields;  // Names in lower case, in order.
  std::string body;
  std::shared_ptr<const tls::PeerCertificate> peer;  // Null on listeners without TLS.
  std::int64_t received_at_us =
      0;  // When the last byte had arrived, microseconds since the Unix epoch.
  // Of the peer, without port; only on TLS listeners that ask for no certificate, where nothing
  // else says who it is.
  std::string remote_address;

  // The first value of the field; `name` in lower case.
  std::optional<std::string_view> Field(std::string_view name) const;
};

// A body that comes piece by piece for as long as both sides like, such as server-sent events. All
// calls on the lane's thread.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Waits for the next piece; nullopt: that was all. A piece that the peer does not take within
  // Limits::write_timeout ends the connection, so a stream that has nothing to say must say
  // something now and then, or a peer that has gone is never noticed.
  virtual boost::asio::awaitable<std::optional<std::string>> Next() = 0;
  // The connection or the server ends: Next returns soon, and nullopt.
  virtual void Cancel() = 0;
};

// An answer. The server adds Date, Content-Length and Connection.
struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool close = false;  // Close the connection after it.
  // Follows `body` when there is one; the answer then has no Content-Length and ends with the
  // connection.
  std::shared_ptr<BodyStream> stream;
};

}  // namespace postern::http
