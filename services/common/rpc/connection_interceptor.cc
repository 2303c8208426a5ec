#include "services/common/rpc/connection_interceptor.h"

#include <grpc/grpc_security_constants.h>

#include <string>
#include <string_view>
#include <vector>

#include "services/common/tls/identity.h"

namespace postern::rpc {
namespace {

void TellCertificate(const grpc::ServerContextBase& call, LiveConnections& connections) {
  const std::string peer = call.peer();
  if (!connections.WantsCertificate(peer)) return;
  const std::vector<grpc::string_ref> pem =
      call.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pem.size() != 1) return;
  auto certificate =
      tls::CertificateRefOfPem(std::string_view(pem.front().data(), pem.front().size()));
  if (certificate.ok()) connections.SetCertificate(peer, *std::move(certificate));
}

class ConnectionInterceptor final : public grpc::experimental::Interceptor {
 public:
  ConnectionInterceptor(grpc::experimental::ServerRpcInfo& info, LiveConnections& connections)
      : info_(info), connections_(connections) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      TellCertificate(*info_.server_context(), connections_);
    }
    methods->Proceed();
  }

 private:
  grpc::experimental::ServerRpcInfo& info_;
  LiveConnections& connections_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(LiveConnections& connections) : connections_(connections) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return new ConnectionInterceptor(*info, connections_);
  }

 private:
  LiveConnections& connections_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeConnectionInterceptorFactory(LiveConnections& connections) {
  return std::make_unique<Factory>(connections);
}

}  // namespace postern::rpc
