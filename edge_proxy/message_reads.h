#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/keyed_hasher.h"
#include "edge_proxy/registrar.h"
#include "edge_proxy/request_context.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/http/message.h"

namespace postern::edge {

// Tells clients about their messages for one lane: what this edge has not registered yet from its
// own buffer, the rest from the main server. Not thread-safe.
class MessageReads {
 public:
  // All must outlive this.
  MessageReads(const DataKeys& keys, const Registrar& registrar,
               v1::MessageService::StubInterface& messages)
      : registrar_(registrar), messages_(messages), hasher_(keys) {}

  // `GET /api/v1/messages/{id}`.
  boost::asio::awaitable<http::Response> Get(std::string_view id, std::string client_id,
                                             const RequestContext& context);
  // `GET /api/v1/messages`.
  boost::asio::awaitable<http::Response> List(std::string_view query, std::string client_id,
                                              const RequestContext& context);

 private:
  const Registrar& registrar_;
  v1::MessageService::StubInterface& messages_;
  KeyedHasher hasher_;
};

}  // namespace postern::edge
