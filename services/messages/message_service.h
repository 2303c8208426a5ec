#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/common/rpc/user.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/ledger.h"
#include "services/messages/message_repository.h"
#include "services/messages/quarantine.h"

namespace postern::messages {

// gRPC adapter of the reads. Works on the database executor's threads; opens messages for operators
// and users who ask for all of it, and writes in the audit log that it did. A user sees the
// messages of linked clients and nothing of others, an administrator all.
//
// Construct after the executor and the ledger. Stop: end the gRPC server's calls, then stop the
// executor. Which role may call which method is the server's to say (method table); here is what a
// role may see.
class MessageService final : public v1::MessageService::CallbackService {
 public:
  // Who calls, by certificate and token; an error ends the call.
  using GetCaller = std::function<absl::StatusOr<rpc::Caller>(const grpc::ServerContextBase&)>;

  MessageService(db::Executor& database, const Ledger& ledger, EnvelopeReaderFactory readers,
                 NumberHasher hash_number, metrics::Registry& metrics, GetCaller get_caller);

  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context,
                                       const v1::GetMessageRequest* request,
                                       v1::GetMessageResponse* response) override;
  grpc::ServerUnaryReactor* ListMessages(grpc::CallbackServerContext* context,
                                         const v1::ListMessagesRequest* request,
                                         v1::ListMessagesResponse* response) override;
  grpc::ServerUnaryReactor* VerifyMessages(grpc::CallbackServerContext* context,
                                           const v1::VerifyMessagesRequest* request,
                                           v1::VerifyMessagesResponse* response) override;
  grpc::ServerUnaryReactor* GetLedger(grpc::CallbackServerContext* context,
                                      const v1::GetLedgerRequest* request,
                                      v1::GetLedgerResponse* response) override;

 private:
  absl::StatusOr<rpc::Caller> CheckCaller(const grpc::CallbackServerContext& context,
                                          const std::string& client_id, v1::MessageView view,
                                          bool one) const;
  // A user has asked for what is another client's.
  void AnswerForeign(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
                     std::string target, const absl::Status& answer);
  absl::Status Show(db::Connection& connection, StoredMessage stored, v1::MessageView view,
                    EnvelopeReader* reader, v1::Message& out);
  absl::Status Verify(db::Connection& connection, const MessageQuery& query,
                      v1::VerifyMessagesResponse& response);

  db::Executor& database_;
  const Ledger& ledger_;
  const EnvelopeReaderFactory make_reader_;
  const NumberHasher hash_number_;
  const GetCaller get_caller_;
  Quarantine quarantine_;
};

}  // namespace postern::messages
