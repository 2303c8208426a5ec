#pragma once

#include "postern/v1/audit_service.grpc.pb.h"
#include "services/audit/refusal_log.h"
#include "services/common/db/executor.h"

namespace postern::audit {

// gRPC adapter of the audit log. Thread-safe.
class AuditService final : public v1::AuditService::CallbackService {
 public:
  // Both must outlive the server that this service is registered with.
  AuditService(db::Executor& database, RefusalLog& refusals)
      : database_(database), refusals_(refusals) {}

  grpc::ServerUnaryReactor* ListAuditRows(grpc::CallbackServerContext* context,
                                          const v1::ListAuditRowsRequest* request,
                                          v1::ListAuditRowsResponse* response) override;
  grpc::ServerUnaryReactor* ReadAuditChain(grpc::CallbackServerContext* context,
                                           const v1::ReadAuditChainRequest* request,
                                           v1::ReadAuditChainResponse* response) override;
  grpc::ServerUnaryReactor* ReportRefusal(grpc::CallbackServerContext* context,
                                          const v1::ReportRefusalRequest* request,
                                          v1::ReportRefusalResponse* response) override;

 private:
  db::Executor& database_;
  RefusalLog& refusals_;
};

}  // namespace postern::audit
