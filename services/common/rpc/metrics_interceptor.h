#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "services/common/metrics/metrics.h"

namespace postern::rpc {

// Counts and times the calls of a server under the names of go-grpc-middleware, so that stock
// dashboards fit: `grpc_server_handled_total{grpc_service,grpc_method,grpc_code}` and
// `grpc_server_handling_seconds{grpc_service,grpc_method}`. `methods` are the full names to watch
// (`/package.Service/Method`); each has all its series from the start. Calls that the authorizer
// turns away do not get so far. Give it to ServerBuilder::experimental().SetInterceptorCreators.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeMetricsInterceptorFactory(const std::vector<std::string>& methods, metrics::Registry& metrics);

}  // namespace postern::rpc
