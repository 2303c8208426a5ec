#pragma once

#include <grpcpp/grpcpp.h>

#include "postern/v1/registration_service.grpc.pb.h"
#include "services/messages/message_writer.h"

namespace postern::messages {

// gRPC adapter of the registrations: checks their form, hands them to the writer, answers from the
// writer's thread.
//
// Construct after the writer; end the gRPC server's calls before the writer is stopped.
// Authorisation is the server's (method table).
class RegistrationService final : public v1::RegistrationService::CallbackService {
 public:
  explicit RegistrationService(MessageWriter& writer) : writer_(writer) {}

  grpc::ServerUnaryReactor* RegisterMessages(grpc::CallbackServerContext* context,
                                             const v1::RegisterMessagesRequest* request,
                                             v1::RegisterMessagesResponse* response) override;

 private:
  MessageWriter& writer_;
};

}  // namespace postern::messages
