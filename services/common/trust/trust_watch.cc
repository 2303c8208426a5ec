#include "services/common/trust/trust_watch.h"

#include <utility>

#include "services/common/log/log.h"

namespace postern::trust {
namespace {

constexpr std::chrono::milliseconds kReopenPause{500};

}  // namespace

TrustWatch::TrustWatch(std::shared_ptr<grpc::Channel> channel, bool services_only,
                       TrustState& state, std::function<void()> on_step)
    : stub_(v1::CertificateService::NewStub(std::move(channel))),
      services_only_(services_only),
      state_(state),
      on_step_(std::move(on_step)),
      follower_("trust", kReopenPause,
                {[this](grpc::ClientContext* context) { return Open(context); },
                 [this](const v1::WatchTrustResponse& step) { OnStep(step); }, nullptr}) {}

std::unique_ptr<grpc::ClientReader<v1::WatchTrustResponse>> TrustWatch::Open(
    grpc::ClientContext* context) {
  v1::WatchTrustRequest request;
  request.set_after_revision(state_.revision());
  request.set_services_only(services_only_);
  return stub_->WatchTrust(context, request);
}

void TrustWatch::OnStep(const v1::WatchTrustResponse& step) {
  const absl::Status applied = state_.Apply(step);
  if (!applied.ok()) log::Error("trust_step_refused", "reason", applied.message());
  log::Info("trust_changed", "revision", state_.revision(), "revoked", step.revoked_size(), "crls",
            step.crls_size());
  on_step_();
}

}  // namespace postern::trust
