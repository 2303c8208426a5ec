#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "services/common/rpc/live_connections.h"

namespace postern::rpc {

// Tells `connections`, with the first call that the method table admits on each, whose certificate
// the peer showed. `connections` must outlive the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeConnectionInterceptorFactory(LiveConnections& connections);

}  // namespace postern::rpc
