#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "edge_proxy/access_log.h"
#include "edge_proxy/certificate_requests.h"
#include "edge_proxy/client_directory.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/enqueuer.h"
#include "edge_proxy/message_intake.h"
#include "edge_proxy/message_reads.h"
#include "edge_proxy/problem.h"
#include "edge_proxy/registrar.h"
#include "edge_proxy/request_context.h"
#include "edge_proxy/request_metrics.h"
#include "edge_proxy/router.h"
#include "postern/v1/certificate_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/http/ops_server.h"
#include "services/common/http/server.h"
#include "services/common/http/static_files.h"
#include "services/common/metrics/metrics.h"

namespace postern::edge {

// What a lane's handler works with. All must outlive it.
struct HandlerParts {
  const ClientDirectory* directory = nullptr;
  const DataKeys* keys = nullptr;
  Enqueuer* enqueuer = nullptr;  // Of the same lane.
  KeyBounds key_bounds;
  const Registrar* registrar = nullptr;
  v1::MessageService::StubInterface* messages = nullptr;
  v1::CertificateService::StubInterface* certificates = nullptr;
  const http::StaticFiles* docs = nullptr;  // Where the pages of the problems are; null: nowhere.
  http::Checks checks;
  metrics::Registry* metrics = nullptr;
};

// Answers the requests of one lane: the REST interface as docs/api/rest.md describes it. Every
// answer has a `Request-Id`. At the enrolment port, where nobody shows a certificate, only what
// needs none is answered. Not thread-safe.
class EdgeHandler final : public http::Handler {
 public:
  explicit EdgeHandler(HandlerParts parts);

  boost::asio::awaitable<http::Response> Handle(http::Request request) override;
  http::Response Refuse(int status, std::string_view detail) override;

 private:
  using Awaitable = boost::asio::awaitable<http::Response>;
  Awaitable Dispatch(http::Request& request, const RouteMatch& match, RequestContext& context);
  Awaitable Immediate(const http::Request& request, const RouteMatch& match,
                      const RequestContext& context);
  Awaitable PostMessage(http::Request& request, RequestContext& context);
  Awaitable PostBatch(http::Request& request, RequestContext& context);
  Awaitable GetMessage(const http::Request& request, std::string_view id,
                       const RequestContext& context);
  Awaitable ListMessages(const http::Request& request, const RequestContext& context);
  Awaitable RenewCertificate(http::Request& request, RequestContext& context);
  http::Response ProblemPage(std::string_view code, const RequestContext& context) const;
  http::Response HealthAnswer(Route route) const;

  // Whose certificate the connection shows; null when the directory does not know it (any more).
  const ClientRecord* SenderOf(const http::Request& request);
  // The answer to a sender that has shown no certificate, is unknown or not active.
  http::Response Forbid(const http::Request& request, const ClientRecord* client,
                        const RequestContext& context) const;
  void Account(Route route, const http::Request& request, const RequestContext& context,
               int status);

  const HandlerParts parts_;
  DirectoryView directory_;
  MessageIntake intake_;
  MessageReads reads_;
  CertificateRequests certificates_;
  UuidV7Generator ids_;
  RequestMetrics metrics_;
  AccessLog access_log_;
};

}  // namespace postern::edge
