#pragma once

#include "postern/v1/retention_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/messages/retention.h"

namespace postern::messages {

// gRPC adapter of the retention. Thread-safe.
class RetentionService final : public v1::RetentionService::CallbackService {
 public:
  // Both must outlive the server that this service is registered with. `database` lends its
  // threads.
  RetentionService(db::Executor& database, Retention& retention)
      : database_(database), retention_(retention) {}

  grpc::ServerUnaryReactor* GetRetention(grpc::CallbackServerContext* context,
                                         const v1::GetRetentionRequest* request,
                                         v1::GetRetentionResponse* response) override;
  grpc::ServerUnaryReactor* RunRetention(grpc::CallbackServerContext* context,
                                         const v1::RunRetentionRequest* request,
                                         v1::RunRetentionResponse* response) override;

 private:
  db::Executor& database_;
  Retention& retention_;
};

}  // namespace postern::messages
