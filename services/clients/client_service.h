#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "postern/v1/client_service.grpc.pb.h"
#include "services/clients/client_directory.h"
#include "services/clients/client_repository.h"
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
  grpc::ServerUnaryReactor* GetClient(grpc::CallbackServerContext* context,
                                      const v1::GetClientRequest* request,
                                      v1::GetClientResponse* response) override;
  grpc::ServerUnaryReactor* SuspendClient(grpc::CallbackServerContext* context,
                                          const v1::SuspendClientRequest* request,
                                          v1::SuspendClientResponse* response) override;
  grpc::ServerUnaryReactor* ResumeClient(grpc::CallbackServerContext* context,
                                         const v1::ResumeClientRequest* request,
                                         v1::ResumeClientResponse* response) override;
  grpc::ServerUnaryReactor* SetClientLimits(grpc::CallbackServerContext* context,
                                            const v1::SetClientLimitsRequest* request,
                                            v1::SetClientLimitsResponse* response) override;
  grpc::ServerUnaryReactor* ListClients(grpc::CallbackServerContext* context,
                                        const v1::ListClientsRequest* request,
                                        v1::ListClientsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchClientsResponse>* WatchClients(
      grpc::CallbackServerContext* context, const v1::WatchClientsRequest* request) override;

 private:
  grpc::ServerUnaryReactor* SetState(grpc::CallbackServerContext* context, StateChange change,
                                     v1::Client* client);
  // Runs `change` on the database and tells the watches; `client` becomes what it says.
  grpc::ServerUnaryReactor* Change(
      grpc::CallbackServerContext* context,
      std::function<absl::StatusOr<v1::Client>(db::Connection&)> change, v1::Client* client);

  db::Executor& database_;
  ClientDirectory& directory_;
};

}  // namespace postern::clients
