#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace postern::load {

// A client that the generator plays.
struct Client {
  std::string client_id;  // The CN of its certificate.
  std::shared_ptr<boost::asio::ssl::context> tls;
};

// All clients of a folder: each `<name>.pem` with its `<name>.key` (PEM, the leaf first), by name.
// `trust_file`: who issued the server's certificate. NotFound when there is none;
// FailedPrecondition names the file that cannot be used.
absl::StatusOr<std::vector<Client>> ReadClients(const std::string& folder,
                                                const std::string& trust_file);

}  // namespace postern::load
