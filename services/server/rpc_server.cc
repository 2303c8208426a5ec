#include "services/server/rpc_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <string_view>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/rpc/authorization.h"
#include "services/common/rpc/connection_interceptor.h"
#include "services/common/rpc/credentials.h"
#include "services/common/rpc/metrics_interceptor.h"
#include "services/server/limits.h"
#include "services/server/method_table.h"

namespace postern::server {
namespace {

constexpr char kDeniedName[] = "postern_rpc_denied_total";
constexpr char kDeniedHelp[] = "Calls turned away before they reached a handler.";

absl::StatusOr<rpc::UserCaller> NobodyIsKnown(std::string_view) {
  return absl::UnauthenticatedError("this server knows no users");
}

}  // namespace

RpcServer::RpcServer(std::string trust_domain, metrics::Registry& metrics, Hooks hooks)
    : trust_domain_(std::move(trust_domain)),
      metrics_(metrics),
      hooks_(std::move(hooks)),
      denied_role_(metrics.Counter(kDeniedName, kDeniedHelp, {{"reason", "permission_denied"}})),
      denied_unknown_(metrics.Counter(kDeniedName, kDeniedHelp, {{"reason", "unknown_method"}})),
      denied_token_(metrics.Counter(kDeniedName, kDeniedHelp, {{"reason", "user_token"}})),
      connections_(metrics) {}

absl::Status RpcServer::Start(const std::string& address, std::uint16_t port,
                              const tls::Files& files, tls::RevocationCheck check,
                              const std::vector<grpc::Service*>& services) {
  auto credentials = rpc::ServerCredentials(files, check);
  if (!credentials.ok()) return credentials.status();
  rpc::MethodTable table = MakeMethodTable();
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(rpc::MakeMetricsInterceptorFactory(table.Methods(), metrics_));
  interceptors.push_back(rpc::MakeConnectionInterceptorFactory(connections_));
  (*credentials)
      ->SetAuthMetadataProcessor(
          rpc::MakeAuthorizer(std::move(table), trust_domain_, std::move(check),
                              hooks_.check_user ? hooks_.check_user : NobodyIsKnown,
                              [this](const rpc::CallFacts& call, const grpc::Status& status) {
                                OnCall(call, status);
                              }));

  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  rpc::SetServerLimits(builder);
  grpc::ResourceQuota quota("postern-server");
  quota.SetMaxThreads(kSyncThreadsMax);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  for (grpc::Service* service : services) builder.RegisterService(service);
  acceptor_ = std::make_unique<rpc::Acceptor>(builder, *credentials, connections_, metrics_);
  if (absl::Status listening = acceptor_->Listen(address, port); !listening.ok()) return listening;
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("gRPC refused to start");
  SetServing(false);
  acceptor_->Start();
  return absl::OkStatus();
}

void RpcServer::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus("", serving);
  for (const std::string& component : HealthComponents()) {
    health->SetServingStatus(component, serving);
  }
}

void RpcServer::Shutdown(std::chrono::milliseconds limit) {
  if (server_ == nullptr) return;
  acceptor_->Stop();
  server_->Shutdown(std::chrono::system_clock::now() + limit);
  server_->Wait();
}

void RpcServer::OnCall(const rpc::CallFacts& call, const grpc::Status& status) {
  if (status.ok()) {
    if (call.peer != nullptr && hooks_.on_seen) hooks_.on_seen(*call.peer);
    return;
  }
  const std::string peer = call.peer == nullptr ? std::string() : call.peer->Path();
  switch (status.error_code()) {
    case grpc::StatusCode::UNIMPLEMENTED:
      denied_unknown_.Increment();
      break;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::UNAVAILABLE:
      denied_token_.Increment();
      break;
    default:
      denied_role_.Increment();
  }
  if (status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
      status.error_code() == grpc::StatusCode::UNAUTHENTICATED) {
    if (hooks_.on_refused) {
      hooks_.on_refused(call.user == nullptr ? peer : StrCat("user/", call.user->email),
                        call.method);
    }
  }
  std::int64_t suppressed = 0;
  if (!denied_log_.Allow(&suppressed)) return;
  log::Warn("rpc_denied", "method", call.method.substr(0, kLoggedMethodMax), "peer", peer, "reason",
            status.error_message(), "suppressed", suppressed);
}

}  // namespace postern::server
