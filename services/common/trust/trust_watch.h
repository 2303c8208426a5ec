#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/common/rpc/stream_follower.h"
#include "services/common/trust/trust_state.h"

namespace postern::trust {

// Keeps a TrustState up to date with the main server's watch, on a thread of its own. A stream that
// ends is opened again within a second, from the revision that was reached.
class TrustWatch {
 public:
  // `state` must outlive this. `on_step` is called on the watch's thread after each step.
  TrustWatch(std::shared_ptr<grpc::Channel> channel, bool services_only, TrustState& state,
             std::function<void()> on_step);

  void Start() { follower_.Start(); }
  void Stop() { follower_.Stop(); }

 private:
  std::unique_ptr<grpc::ClientReader<v1::WatchTrustResponse>> Open(grpc::ClientContext* context);
  void OnStep(const v1::WatchTrustResponse& step);

  const std::unique_ptr<v1::CertificateService::Stub> stub_;
  const bool services_only_;
  TrustState& state_;
  const std::function<void()> on_step_;
  rpc::StreamFollower<v1::WatchTrustResponse> follower_;
};

}  // namespace postern::trust
