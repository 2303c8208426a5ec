#include "services/server/method_table.h"

namespace postern::server {

using enum tls::Role;

rpc::MethodTable MakeMethodTable() {
  return rpc::MethodTable({
      {"/postern.v1.RegistrationService/RegisterMessages", {kEdge}},
      {"/postern.v1.DeliveryService/DeliverMessages", {kWorker}},
      {"/postern.v1.DeliveryService/ReportAttempts", {kWorker}},
      {"/postern.v1.KeyService/CreateDataKey", {kEdge}},
      {"/postern.v1.KeyService/GetKeyStatus", {kOperator}},
      {"/postern.v1.KeyService/RotateMasterKey", {kOperator}},
      {"/postern.v1.KeyService/RetireMasterKey", {kOperator}},
      {"/postern.v1.MessageService/GetMessage", {kEdge, kOperator}},
      {"/postern.v1.MessageService/ListMessages", {kEdge, kOperator}},
      {"/postern.v1.MessageService/GetLedger", {kOperator}},
      {"/postern.v1.QueueService/GetQueueStatus", {kOperator}},
      {"/postern.v1.QueueService/ReconcileQueue", {kOperator}},
      {"/postern.v1.DeadLetterService/SummarizeDeadLetters", {kOperator}},
      {"/postern.v1.DeadLetterService/RedriveDeadLetters", {kOperator}},
      {"/postern.v1.MessageService/VerifyMessages", {kOperator}},
      {"/postern.v1.RetentionService/GetRetention", {kOperator}},
      {"/postern.v1.RetentionService/RunRetention", {kOperator}},
      {"/postern.v1.ClientService/CreateClient", {kOperator}},
      {"/postern.v1.ClientService/GetClient", {kOperator}},
      {"/postern.v1.ClientService/SuspendClient", {kOperator}},
      {"/postern.v1.ClientService/ResumeClient", {kOperator}},
      {"/postern.v1.ClientService/SetClientLimits", {kOperator}},
      {"/postern.v1.ClientService/ListClients", {kOperator}},
      {"/postern.v1.ClientService/WatchClients", {kEdge}},
      {"/postern.v1.CertificateService/IssueCertificate", {kOperator}},
      {"/postern.v1.CertificateService/CreateEnrolmentToken", {kOperator}},
      {"/postern.v1.CertificateService/EnrolCertificate", {kEdge, kOperator}},
      {"/postern.v1.CertificateService/RenewCertificate",
       {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/postern.v1.CertificateService/RevokeCertificate", {kOperator}},
      {"/postern.v1.CertificateService/GetCertificate", {kOperator}},
      {"/postern.v1.CertificateService/ListCertificates", {kOperator}},
      {"/postern.v1.CertificateService/GetCrl", {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/postern.v1.CertificateService/WatchTrust", {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/postern.v1.CertificateService/ListAuthorities", {kOperator}},
      {"/postern.v1.CertificateService/RotateAuthority", {kOperator}},
      {"/postern.v1.AuditService/ListAuditRows", {kOperator}},
      {"/postern.v1.AuditService/ReadAuditChain", {kOperator}},

      {"/grpc.health.v1.Health/Check", {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/grpc.health.v1.Health/Watch", {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetTopChannels", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetServers", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetServer", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetServerSockets", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetChannel", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetSubchannel", {kOperator}},
      {"/grpc.channelz.v1.Channelz/GetSocket", {kOperator}},
  });
}

std::vector<std::string> HealthComponents() {
  return {"postern.v1.RegistrationService", "postern.v1.DeliveryService",
          "postern.v1.KeyService",          "postern.v1.MessageService",
          "postern.v1.ClientService",       "postern.v1.CertificateService",
          "postern.v1.QueueService",        "postern.v1.DeadLetterService",
          "postern.v1.RetentionService",    "postern.v1.AuditService"};
}

}  // namespace postern::server
