#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "postern/v1/audit_service.grpc.pb.h"
#include "postern/v1/certificate_service.grpc.pb.h"
#include "postern/v1/client_service.grpc.pb.h"
#include "postern/v1/dead_letter_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "postern/v1/queue_service.grpc.pb.h"
#include "postern/v1/retention_service.grpc.pb.h"
#include "postern/v1/statistics_service.grpc.pb.h"
#include "postern/v1/system_service.grpc.pb.h"
#include "postern/v1/user_service.grpc.pb.h"

namespace postern::portal {

// The main server's services, over one channel. Thread-safe.
struct Backend {
  explicit Backend(std::shared_ptr<grpc::Channel> to)
      : channel(std::move(to)),
        audit(v1::AuditService::NewStub(channel)),
        certificates(v1::CertificateService::NewStub(channel)),
        clients(v1::ClientService::NewStub(channel)),
        dead_letters(v1::DeadLetterService::NewStub(channel)),
        messages(v1::MessageService::NewStub(channel)),
        queue(v1::QueueService::NewStub(channel)),
        retention(v1::RetentionService::NewStub(channel)),
        statistics(v1::StatisticsService::NewStub(channel)),
        system(v1::SystemService::NewStub(channel)),
        users(v1::UserService::NewStub(channel)) {}

  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::AuditService::Stub> audit;
  const std::unique_ptr<v1::CertificateService::Stub> certificates;
  const std::unique_ptr<v1::ClientService::Stub> clients;
  const std::unique_ptr<v1::DeadLetterService::Stub> dead_letters;
  const std::unique_ptr<v1::MessageService::Stub> messages;
  const std::unique_ptr<v1::QueueService::Stub> queue;
  const std::unique_ptr<v1::RetentionService::Stub> retention;
  const std::unique_ptr<v1::StatisticsService::Stub> statistics;
  const std::unique_ptr<v1::SystemService::Stub> system;
  const std::unique_ptr<v1::UserService::Stub> users;
};

}  // namespace postern::portal
