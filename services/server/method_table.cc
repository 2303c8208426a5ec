#include "services/server/method_table.h"

namespace postern::server {

using enum tls::Role;
using enum rpc::UserNeed;

rpc::MethodTable MakeMethodTable() {
  return rpc::MethodTable({
      {"/postern.v1.RegistrationService/RegisterMessages", {kEdge}},
      {"/postern.v1.DeliveryService/DeliverMessages", {kWorker}},
      {"/postern.v1.DeliveryService/ReportAttempts", {kWorker}},
      {"/postern.v1.KeyService/CreateDataKey", {kEdge}},
      {"/postern.v1.KeyService/GetKeyStatus", {kOperator}, kAdmin},
      {"/postern.v1.KeyService/RotateMasterKey", {kOperator}},
      {"/postern.v1.KeyService/RetireMasterKey", {kOperator}},
      {"/postern.v1.MessageService/GetMessage", {kEdge, kOperator}, kUser},
      {"/postern.v1.MessageService/ListMessages", {kEdge, kOperator}, kUser},
      {"/postern.v1.MessageService/GetLedger", {kOperator}, kAdmin},
      {"/postern.v1.QueueService/GetQueueStatus", {kOperator}, kAdmin},
      {"/postern.v1.QueueService/ReconcileQueue", {kOperator}},
      {"/postern.v1.DeadLetterService/SummarizeDeadLetters", {kOperator}, kAdmin},
      {"/postern.v1.DeadLetterService/RedriveDeadLetters", {kOperator}, kAdmin},
      {"/postern.v1.MessageService/VerifyMessages", {kOperator}},
      {"/postern.v1.RetentionService/GetRetention", {kOperator}, kAdmin},
      {"/postern.v1.RetentionService/RunRetention", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/CreateClient", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/GetClient", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/SuspendClient", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/ResumeClient", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/SetClientLimits", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/ListClients", {kOperator}, kAdmin},
      {"/postern.v1.ClientService/WatchClients", {kEdge}},
      {"/postern.v1.CertificateService/IssueCertificate", {kOperator}, kAdmin},
      {"/postern.v1.CertificateService/CreateEnrolmentToken", {kOperator}, kAdmin},
      {"/postern.v1.CertificateService/EnrolCertificate", {kEdge, kOperator}},
      {"/postern.v1.CertificateService/RenewCertificate",
       {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/postern.v1.CertificateService/RevokeCertificate", {kOperator}, kAdmin},
      {"/postern.v1.CertificateService/GetCertificate", {kOperator}, kAdmin},
      {"/postern.v1.CertificateService/ListCertificates", {kOperator}, kAdmin},
      {"/postern.v1.CertificateService/GetCrl", {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/postern.v1.CertificateService/WatchTrust", {kEdge, kWorker, kPortal, kServer, kOperator}},
      {"/postern.v1.CertificateService/ListAuthorities", {kOperator}, kAdmin},
      {"/postern.v1.CertificateService/RotateAuthority", {kOperator}},
      {"/postern.v1.AuditService/ListAuditRows", {kOperator}, kAdmin},
      {"/postern.v1.AuditService/ReadAuditChain", {kOperator}},
      {"/postern.v1.AuditService/ReportRefusal", {kPortal}},
      {"/postern.v1.UserService/Login", {kPortal}},
      {"/postern.v1.UserService/RefreshSession", {kPortal}},
      {"/postern.v1.UserService/Logout", {kPortal}},
      {"/postern.v1.UserService/GetProfile", {}, kNewcomer},
      {"/postern.v1.UserService/ChangePassword", {}, kNewcomer},
      {"/postern.v1.UserService/EndSessions", {}, kNewcomer},
      {"/postern.v1.UserService/CreateUser", {kOperator}, kAdmin},
      {"/postern.v1.UserService/ListUsers", {kOperator}, kAdmin},
      {"/postern.v1.UserService/GetUser", {kOperator}, kAdmin},
      {"/postern.v1.UserService/SetUserState", {kOperator}, kAdmin},
      {"/postern.v1.UserService/SetUserRole", {kOperator}, kAdmin},
      {"/postern.v1.UserService/ResetPassword", {kOperator}, kAdmin},
      {"/postern.v1.UserService/LinkClient", {kOperator}, kAdmin},
      {"/postern.v1.UserService/UnlinkClient", {kOperator}, kAdmin},
      {"/postern.v1.StatisticsService/GetOverview", {kOperator}, kUser},
      {"/postern.v1.StatisticsService/GetTimeSeries", {kOperator}, kUser},
      {"/postern.v1.StatisticsService/ListClientTotals", {kOperator}, kUser},
      {"/postern.v1.SystemService/GetSystemStatus", {kOperator}, kAdmin},
      {"/postern.v1.SystemService/GetDatabaseStatus", {kOperator}, kAdmin},

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
          "postern.v1.RetentionService",    "postern.v1.AuditService",
          "postern.v1.UserService",         "postern.v1.StatisticsService",
          "postern.v1.SystemService"};
}

}  // namespace postern::server
