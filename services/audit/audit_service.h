#pragma once

#include "postern/v1/audit_service.grpc.pb.h"
#include "services/common/db/executor.h"

namespace postern::audit {

// gRPC adapter of the audit log. Thread-safe.
class AuditService final : public v1::AuditService::CallbackService {
 public:
  // `database` must outlive the server that this service is registered with.
  explicit AuditService(db::Executor& database) : database_(database) {}

  grpc::ServerUnaryReactor* ListAuditRows(grpc::CallbackServerContext* context,
                                          const v1::ListAuditRowsRequest* request,
                                          v1::ListAuditRowsResponse* response) override;
  grpc::ServerUnaryReactor* ReadAuditChain(grpc::CallbackServerContext* context,
                                           const v1::ReadAuditChainRequest* request,
                                           v1::ReadAuditChainResponse* response) override;

 private:
  db::Executor& database_;
};

}  // namespace postern::audit
