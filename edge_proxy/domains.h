#pragma once

#include <openssl/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "edge_proxy/rate_limit.h"
#include "services/common/tls/context_source.h"

namespace postern::edge {

// The domains of an edge, from a folder with one folder for each, named by the domain:
// `certificate.pem` and `key.pem`, which clients see, and `domain.yaml` where it has settings. The
// name that a client connects to (SNI) picks the domain, and a client belongs to one: in another it
// is nobody. Thread-safe.
class Domains {
 public:
  // None until Read, and with an empty `folder`. `trust_file`: the CA of all clients.
  Domains(std::string folder, std::string trust_file)
      : folder_(std::move(folder)), trust_file_(std::move(trust_file)) {}

  // Reads the folder, the first time or again. `otherwise`: limits that a domain does not set, and
  // those of clients that belong to none. Errors name the file, and change nothing.
  absl::Status Read(const RateLimit& otherwise);
  // Takes the certificates whose files have changed. The first error of files that are unusable:
  // the old certificate goes on.
  absl::Status Refresh() const;

  // From now on `context` shows the certificate of the domain that the client connects to, and its
  // own for any other name. This must outlive it.
  void Install(SSL_CTX* context) const;

  // Whether a client of `client_domain` may speak on a connection to `server_name` (empty: none was
  // given): both name the same domain of ours, or neither names one. PermissionDenied with the
  // message `domain`.
  absl::Status Check(std::string_view server_name, std::string_view client_domain) const;

  // The limit of a domain's clients that have none of their own.
  RateLimit LimitOf(std::string_view domain) const;

 private:
  struct Domain {
    std::shared_ptr<tls::ContextSource> tls;
    RateLimit limit;
  };
  // Never changes once it is in use.
  struct State {
    std::map<std::string, Domain, std::less<>> domains;  // Names in lower case.
    RateLimit otherwise;

    // Null for a domain that is none of ours.
    const Domain* Find(std::string_view name) const;
  };
  std::shared_ptr<const State> Now() const;
  static int OnServerName(SSL* ssl, int* alert, void* self);

  const std::string folder_;
  const std::string trust_file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const State> state_ = std::make_shared<const State>();
};

}  // namespace postern::edge
