#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/tls/settings.h"

namespace postern::tls {

// A server context that requires client certificates issued by the CA in `files.trust` itself
// (partial chain), TLS 1.2 and 1.3 with AEAD suites, no renegotiation, no compression, and no
// resumption: a resumed session would pass by revocation, so tickets, the session cache and TLS 1.3
// tickets are all off (only the three together work on OpenSSL 3.0). FailedPrecondition or NotFound
// names the file and what is wrong with it, a key that does not belong to the certificate included.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> ServerContext(const Files& files);

// The same for browsers, which show no certificate: `files.trust` is not looked at.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> BrowserContext(const Files& files);

// A client context that shows `files.certificate` and trusts `files.trust`. The caller sets the
// host name to verify per connection with boost::asio::ssl::host_name_verification.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> ClientContext(const Files& files);

}  // namespace postern::tls
