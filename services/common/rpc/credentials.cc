#include "services/common/rpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/common/log/log.h"
#include "services/common/rpc/identity_file.h"
#include "services/common/tls/context.h"

namespace postern::rpc {
namespace {

namespace tls_api = grpc::experimental;

constexpr unsigned kFileWatchSeconds = 1;
constexpr int kRequestBytes = 4 * 1024 * 1024;
// A page of 1000 messages, whole, is 7 MiB at most.
constexpr int kAnswerBytes = 16 * 1024 * 1024;
constexpr int kMetadataBytes = 8 * 1024;
constexpr int kStreamsPerConnection = 100;
constexpr int kHandshakeTimeoutMs = 10'000;
constexpr int kClientPingMs = 10'000;
constexpr int kClientPingTimeoutMs = 5'000;
// Half of what the clients do, so that a delayed ping followed by a punctual one is no abuse.
constexpr int kServerMinPingIntervalMs = 5'000;
constexpr int kServerPingMs = 30'000;
constexpr int kServerPingTimeoutMs = 10'000;
constexpr int kReconnectFirstMs = 100;
constexpr int kReconnectMaxMs = 1'000;
// gRPC calls it the minimal reconnect backoff, but it is the time that one attempt to connect gets.
constexpr int kConnectTimeoutMs = 2'000;
constexpr int kResolveAgainMs = 1'000;

grpc::Status CheckRevocation(const tls::RevocationCheck& check,
                             const tls_api::TlsCustomVerificationCheckRequest& request) {
  if (!check) return grpc::Status::OK;
  const grpc::string_ref pem = request.peer_cert();
  const auto peer = tls::CertificateRefOfPem(std::string_view(pem.data(), pem.size()));
  const absl::Status checked = peer.ok() ? check(*peer) : peer.status();
  if (checked.ok()) return grpc::Status::OK;
  static log::RateLimit limit;
  if (limit.Allow()) log::Warn("rpc_peer_refused", "reason", checked.message());
  return {grpc::StatusCode::UNAUTHENTICATED, std::string(checked.message())};
}

// The chain is already verified. Verifiers live as long as their credentials, and keep the file
// that these read.
class PeerVerifier final : public tls_api::ExternalCertificateVerifier {
 public:
  PeerVerifier(tls::RevocationCheck check, std::shared_ptr<IdentityFile> identity)
      : check_(std::move(check)), identity_(std::move(identity)) {}

  bool Verify(tls_api::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/, grpc::Status* status) override {
    *status = CheckRevocation(check_, *request);
    return true;
  }
  void Cancel(tls_api::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  const tls::RevocationCheck check_;
  const std::shared_ptr<IdentityFile> identity_;
};

// Speaks only to servers of the trust domain. The chain is already verified; the host name says
// nothing more than the role does.
class ServerRoleVerifier final : public tls_api::ExternalCertificateVerifier {
 public:
  ServerRoleVerifier(std::string trust_domain, tls::RevocationCheck check,
                     std::shared_ptr<IdentityFile> identity)
      : trust_domain_(std::move(trust_domain)),
        check_(std::move(check)),
        identity_(std::move(identity)) {}

  bool Verify(tls_api::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/, grpc::Status* status) override {
    *status =
        IsServer(request->uri_names())
            ? CheckRevocation(check_, *request)
            : grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                           "the peer's certificate is not that of a server of the trust domain");
    return true;
  }
  void Cancel(tls_api::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  bool IsServer(const std::vector<grpc::string_ref>& uris) const {
    if (uris.size() != 1) return false;
    const auto id = tls::SpiffeId::Parse(std::string_view(uris[0].data(), uris[0].size()));
    return id.ok() && id->role == tls::Role::kServer && id->trust_domain == trust_domain_;
  }

  const std::string trust_domain_;
  const tls::RevocationCheck check_;
  const std::shared_ptr<IdentityFile> identity_;
};

std::shared_ptr<tls_api::CertificateProviderInterface> WatchFiles(const IdentityFile& identity,
                                                                  const std::string& trust) {
  return std::make_shared<tls_api::FileWatcherCertificateProvider>(identity.path(), identity.path(),
                                                                   trust, kFileWatchSeconds);
}

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kClientPingMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kClientPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectFirstMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kResolveAgainMs);
  // The callers retry by their own rules; the mesh never goes through a proxy of the environment.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kAnswerBytes);
  arguments.SetLoadBalancingPolicyName("round_robin");
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(
    const tls::Files& files, tls::RevocationCheck check) {
  // gRPC itself takes unusable files in silence and refuses every handshake.
  if (auto usable = tls::ServerContext(files); !usable.ok()) return usable.status();
  auto identity = IdentityFile::Of(files);
  if (!identity.ok()) return identity.status();
  tls_api::TlsServerCredentialsOptions options(WatchFiles(**identity, files.trust));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.set_certificate_verifier(
      tls_api::ExternalCertificateVerifier::Create<PeerVerifier>(std::move(check), *identity));
  return tls_api::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Channel(const ChannelSettings& settings) {
  if (settings.target.empty())
    return absl::InvalidArgumentError("the target of the channel is empty");
  if (auto usable = tls::ClientContext(settings.files); !usable.ok()) return usable.status();
  auto identity = IdentityFile::Of(settings.files);
  if (!identity.ok()) return identity.status();
  tls_api::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(WatchFiles(**identity, settings.files.trust));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_check_call_host(false);
  options.set_certificate_verifier(tls_api::ExternalCertificateVerifier::Create<ServerRoleVerifier>(
      settings.trust_domain, settings.check, *identity));
  return grpc::CreateCustomChannel(settings.target, tls_api::TlsCredentials(options),
                                   ChannelArguments());
}

void SetServerLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kRequestBytes);
  builder.SetMaxSendMessageSize(kAnswerBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kServerMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kServerPingMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kServerPingTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace postern::rpc
