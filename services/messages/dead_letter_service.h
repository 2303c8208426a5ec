#pragma once

#include <grpcpp/grpcpp.h>

#include "postern/v1/dead_letter_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/messages/queue_client.h"

namespace postern::messages {

// gRPC adapter of the dead letters. Works on the database executor's threads, and waits there for
// Redis as well.
//
// Construct after the executor and the queue client. Stop: end the gRPC server's calls, then stop
// the executor.
class DeadLetterService final : public v1::DeadLetterService::CallbackService {
 public:
  DeadLetterService(db::Executor& database, QueueClient& queue)
      : database_(database), queue_(queue) {}

  grpc::ServerUnaryReactor* SummarizeDeadLetters(
      grpc::CallbackServerContext* context, const v1::SummarizeDeadLettersRequest* request,
      v1::SummarizeDeadLettersResponse* response) override;
  grpc::ServerUnaryReactor* RedriveDeadLetters(grpc::CallbackServerContext* context,
                                               const v1::RedriveDeadLettersRequest* request,
                                               v1::RedriveDeadLettersResponse* response) override;

 private:
  db::Executor& database_;
  QueueClient& queue_;
};

}  // namespace postern::messages
