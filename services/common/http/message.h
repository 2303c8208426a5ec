#pragma once

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

  // The first value of the field; `name` in lower case.
  std::optional<std::string_view> Field(std::string_view name) const;
};

// An answer. The server adds Date, Content-Length and Connection.
struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool close = false;  // Close the connection after it.
};

}  // namespace postern::http
