#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/common/exec/poller.h"
#include "services/common/http/ops_server.h"
#include "services/common/metrics/metrics.h"
#include "services/common/tls/revocation_check.h"
#include "services/common/tls/settings.h"
#include "services/common/trust/renewer.h"
#include "services/common/trust/settings.h"
#include "services/common/trust/trust_state.h"
#include "services/common/trust/trust_watch.h"

namespace postern::trust {

// What makes a program a member of the mesh that the main server's CA manages: it hears at once
// whom not to trust any more, renews its own certificates, and keeps the files of whom to trust.
//
//   auto member = trust::Member::Create(settings, [this] { RecheckPeers(); }, metrics);
//   channel.check = (*member)->check();
//   (*member)->Start();
//
// Make it before anything reads the certificate files; stop it before what `on_change` uses.
// Thread-safe, except Start and Stop.
class Member {
 public:
  struct Settings {
    trust::Settings trust;
    std::string trust_domain;
    std::string server_target;  // As rpc::ChannelSettings.
    tls::Files mesh;            // Shown to the main server.
    // What the program shows to clients, and the CA that these come from.
    std::optional<tls::Files> listen;
    bool watch = true;  // false: the program itself calls Apply.
  };

  // `on_change` is called after each step, and when a CRL has become too old: whoever is connected
  // must be checked again. Without `trust.managed` a member that checks nobody and does nothing.
  // InvalidArgument when no
  // state file is named, otherwise the error of certificate files that cannot be used. A kept state
  // that cannot be used is logged: nobody is let in until the server has told it anew.
  static absl::StatusOr<std::unique_ptr<Member>> Create(Settings settings,
                                                        std::function<void()> on_change,
                                                        metrics::Registry& metrics);
  ~Member();

  // For channels and listeners; null when nobody is to be asked.
  tls::RevocationCheck check() const;
  // Takes in a step that the program heard by itself. As TrustState::Apply.
  absl::Status Apply(const v1::WatchTrustResponse& step);
  void Start();
  // Nothing is called any more once it returns. Idempotent.
  void Stop();

  // `trust`, and each certificate's renewal.
  std::vector<http::Check> Checks() const;

 private:
  Member(Settings settings, std::function<void()> on_change, metrics::Registry& metrics);
  absl::Status Open(metrics::Registry& metrics);
  void Tick();
  void Renew();
  http::Check TrustCheck() const;

  const Settings settings_;
  const std::function<void()> on_change_;
  // Shared with the checks: handshakes may outlive this.
  const std::shared_ptr<TrustState> state_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CertificateService::Stub> stub_;
  std::unique_ptr<TrustWatch> watch_;
  std::vector<std::unique_ptr<Renewer>> renewers_;
  exec::Poller clock_;
  exec::Poller renewal_;
};

}  // namespace postern::trust
