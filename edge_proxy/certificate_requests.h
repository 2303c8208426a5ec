#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "edge_proxy/client_directory.h"
#include "edge_proxy/request_context.h"
#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/common/http/message.h"

namespace postern::edge {

// Gets certificates from the main server for those who bring a certificate request (PKCS#10, RFC
// 2986, as PEM or DER, `application/pkcs10`); the answer is the chain (RFC 8555,
// `application/pem-certificate-chain`), the leaf first. Not thread-safe.
class CertificateRequests {
 public:
  // Both must outlive this.
  CertificateRequests(const ClientDirectory& directory,
                      v1::CertificateService::StubInterface& certificates)
      : directory_(directory), certificates_(certificates) {}

  // `POST /api/v1/certificate:renew`: the successor of the certificate that the connection shows.
  // It is known to this edge when the answer goes out.
  boost::asio::awaitable<http::Response> Renew(http::Request& request, RequestContext& context);
  // `POST /api/v1/certificate:enrol`, with `Authorization: Bearer <enrolment token>`.
  boost::asio::awaitable<http::Response> Enrol(http::Request& request, RequestContext& context);

 private:
  boost::asio::awaitable<http::Response> Issued(v1::Certificate certificate, std::string chain_pem,
                                                const RequestContext& context);

  const ClientDirectory& directory_;
  v1::CertificateService::StubInterface& certificates_;
};

}  // namespace postern::edge
