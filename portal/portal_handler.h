#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "portal/access_log.h"
#include "portal/live_stream.h"
#include "portal/pages/routes.h"
#include "portal/pages/visit.h"
#include "services/common/base/uuid.h"
#include "services/common/http/server.h"
#include "services/common/metrics/metrics.h"

namespace postern::portal {

// What all lanes share; read-only or thread-safe.
struct PortalParts {
  const Backend* backend = nullptr;
  const Assets* assets = nullptr;
  const Zones* zones = nullptr;
  std::shared_ptr<const TemplateTexts> templates;
  const std::vector<crypto::Secret>* keys = nullptr;
  metrics::Registry* metrics = nullptr;
};

// Answers the requests of one lane: finds the page, sees to session and forms, and gives every
// answer its security fields and its id. Not thread-safe.
class PortalHandler final : public http::Handler {
 public:
  PortalHandler(boost::asio::io_context& io, const PortalParts& parts);

  boost::asio::awaitable<http::Response> Handle(http::Request request) override;
  http::Response Refuse(int status, std::string_view detail) override;

 private:
  boost::asio::awaitable<http::Response> Answer(Visit& visit, std::string& label);
  boost::asio::awaitable<http::Response> Open(Visit& visit, const Route& route);
  http::Response OpenStream(Visit& visit);
  // Tells the main server what we have refused by ourselves, for its audit log.
  boost::asio::awaitable<void> Report(Visit& visit, std::string_view route,
                                      v1::RefusalReason reason);
  // The answer to who has no session, or one that is not ours.
  boost::asio::awaitable<http::Response> TurnAway(Visit& visit, std::string_view route);
  // The answer to a form that is not ours or cannot be read; nullopt when it is good.
  std::optional<http::Response> CheckForm(Visit& visit);
  void Account(const Visit& visit, const std::string& label, const http::Response& response);
  PageParts Parts();

  boost::asio::io_context& io_;
  const PortalParts parts_;
  Templates templates_;
  SessionSealer sealer_;
  CsrfTokens csrf_;
  LiveStreams streams_;
  UuidV7Generator ids_;
  AccessLog access_log_;
};

}  // namespace postern::portal
