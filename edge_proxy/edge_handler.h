#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "edge_proxy/access_log.h"
#include "edge_proxy/client_directory.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/enqueuer.h"
#include "edge_proxy/envelope_sealer.h"
#include "edge_proxy/problem.h"
#include "edge_proxy/registrar.h"
#include "edge_proxy/request_metrics.h"
#include "edge_proxy/router.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/http/ops_server.h"
#include "services/common/http/server.h"
#include "services/common/metrics/metrics.h"

namespace postern::edge {

// What a lane's handler works with. All must outlive it.
struct HandlerParts {
  const ClientDirectory* directory = nullptr;
  const DataKeys* keys = nullptr;
  Enqueuer* enqueuer = nullptr;  // Of the same lane.
  const Registrar* registrar = nullptr;
  v1::MessageService::StubInterface* messages = nullptr;
  http::Checks checks;
  metrics::Registry* metrics = nullptr;
};

// Answers the requests of one lane: the REST interface as docs/api/rest.md describes it. Every
// answer has a `Request-Id`. Not thread-safe.
class EdgeHandler final : public http::Handler {
 public:
  explicit EdgeHandler(HandlerParts parts);

  boost::asio::awaitable<http::Response> Handle(http::Request request) override;
  http::Response Refuse(int status, std::string_view detail) override;

 private:
  using Awaitable = boost::asio::awaitable<http::Response>;
  // What is known of a request beside its content.
  struct Context {
    Uuid request_uuid;
    std::string request_id;
    std::string message_id;  // Of the message that it made.
  };

  Awaitable Dispatch(http::Request& request, const RouteMatch& match, Context& context);
  Awaitable Immediate(const RouteMatch& match, const Context& context);
  Awaitable PostMessage(http::Request& request, Context& context);
  Awaitable GetMessage(const http::Request& request, std::string_view id, const Context& context);
  http::Response HealthAnswer(Route route) const;

  // Whose certificate the connection shows; null when the directory does not know it (any more).
  const ClientRecord* SenderOf(const http::Request& request);
  // The answer to a sender that is unknown or not active.
  http::Response Forbid(const ClientRecord* client, const Context& context) const;
  void Account(Route route, const http::Request& request, const Context& context, int status);

  const HandlerParts parts_;
  DirectoryView directory_;
  EnvelopeSealer sealer_;
  UuidV7Generator ids_;
  RequestMetrics metrics_;
  AccessLog access_log_;
};

}  // namespace postern::edge
