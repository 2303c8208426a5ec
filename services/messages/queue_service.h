#pragma once

#include <grpcpp/grpcpp.h>

#include "postern/v1/queue_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/messages/queue_client.h"
#include "services/messages/reconciler.h"

namespace postern::messages {

// gRPC adapter of what operators may do with the queue. Works on the database executor's threads,
// and waits there for Redis as well.
//
// Construct after the executor, the queue client and the reconciler. Stop: end the gRPC server's
// calls, then stop the executor.
class QueueService final : public v1::QueueService::CallbackService {
 public:
  QueueService(db::Executor& database, QueueClient& queue, Reconciler& reconciler)
      : database_(database), queue_(queue), reconciler_(reconciler) {}

  grpc::ServerUnaryReactor* GetQueueStatus(grpc::CallbackServerContext* context,
                                           const v1::GetQueueStatusRequest* request,
                                           v1::GetQueueStatusResponse* response) override;
  grpc::ServerUnaryReactor* ReconcileQueue(grpc::CallbackServerContext* context,
                                           const v1::ReconcileQueueRequest* request,
                                           v1::ReconcileQueueResponse* response) override;

 private:
  db::Executor& database_;
  QueueClient& queue_;
  Reconciler& reconciler_;
};

}  // namespace postern::messages
