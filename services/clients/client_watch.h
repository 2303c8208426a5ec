#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>

#include "postern/v1/client_service.pb.h"
#include "services/clients/client_directory.h"

namespace postern::clients {

// Starts to send the directory to one caller, from `after_revision` on, until the caller goes or
// the directory stops (UNAVAILABLE). The reactor owns itself.
grpc::ServerWriteReactor<v1::WatchClientsResponse>* StartClientWatch(ClientDirectory& directory,
                                                                     std::int64_t after_revision);

}  // namespace postern::clients
