#pragma once

#include "postern/v1/client_service.grpc.pb.h"
#include "services/clients/client_directory.h"
#include "services/common/db/executor.h"

namespace postern::clients {

// gRPC adapter of the clients. Thread-safe.
class ClientService final : public v1::ClientService::CallbackService {
 public:
  // Both must outlive the server that this service is registered with.
  ClientService(db::Executor& database, ClientDirectory& directory)
      : database_(database), directory_(directory) {}

  grpc::ServerUnaryReactor* CreateClient(grpc::CallbackServerContext* context,
                                         const v1::CreateClientRequest* request,
                                         v1::CreateClientResponse* response) override;
  grpc::ServerUnaryReactor* ListClients(grpc::CallbackServerContext* context,
                                        const v1::ListClientsRequest* request,
                                        v1::ListClientsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchClientsResponse>* WatchClients(
      grpc::CallbackServerContext* context, const v1::WatchClientsRequest* request) override;

 private:
  db::Executor& database_;
  ClientDirectory& directory_;
};

}  // namespace postern::clients
