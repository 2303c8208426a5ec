#pragma once

#include <openssl/types.h>

#include <boost/asio/ssl/context.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge_proxy/rate_limit.h"

namespace postern::edge {

// One of several domains that an edge serves.
struct Domain {
  std::shared_ptr<boost::asio::ssl::context> tls;  // With the domain's certificate.
  RateLimit limit;                                 // Of its clients that have none of their own.
};

// The domains of an edge, from a folder with one folder for each, named by the domain:
// `certificate.pem` and `key.pem`, which clients see, and `domain.yaml` where it has settings. The
// name that a client connects to (SNI) picks the domain, and a client belongs to one: in another it
// is nobody. Read-only once read; thread-safe.
class Domains {
 public:
  // Empty for an empty `folder`. `trust_file`: the CA of all clients. `otherwise`: limits that a
  // domain does not set. Errors name the file.
  static absl::StatusOr<Domains> Read(const std::string& folder, const std::string& trust_file,
                                      const RateLimit& otherwise);

  // From now on `context` shows the certificate of the domain that the client connects to, and its
  // own for any other name. This must outlive it.
  void Install(SSL_CTX* context) const;

  // Whether a client of `client_domain` may speak on a connection to `server_name` (empty: none was
  // given): both name the same domain of ours, or neither names one. PermissionDenied with the
  // message `domain`.
  absl::Status Check(std::string_view server_name, std::string_view client_domain) const;

  // The limit of clients of a domain; nullptr for one that is none of ours.
  const RateLimit* LimitOf(std::string_view domain) const;

 private:
  // The domain that a name stands for; null when it is none of ours.
  const std::map<std::string, Domain, std::less<>>::value_type* Find(std::string_view name) const;
  static int OnServerName(SSL* ssl, int* alert, void* self);

  std::map<std::string, Domain, std::less<>> domains_;  // Names in lower case.
};

}  // namespace postern::edge
