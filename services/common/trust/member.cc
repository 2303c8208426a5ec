#include "services/common/trust/member.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/rpc/credentials.h"
#include "services/common/trust/key_files.h"

namespace postern::trust {
namespace {

constexpr std::chrono::milliseconds kClockInterval{1000};
constexpr std::chrono::milliseconds kRenewalInterval{1000};
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

TrustState::Settings StateSettings(const Member::Settings& settings) {
  TrustState::Settings state;
  state.file = settings.trust.state_file;
  state.services_file = settings.mesh.trust;
  if (settings.listen) state.clients_file = settings.listen->trust;
  state.grace = std::chrono::duration_cast<std::chrono::seconds>(settings.trust.grace);
  return state;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Member>> Member::Create(Settings settings,
                                                       std::function<void()> on_change,
                                                       metrics::Registry& metrics) {
  if (settings.trust.managed && settings.trust.state_file.empty()) {
    return absl::InvalidArgumentError(
        "trust.state_file: name the file that keeps what is revoked, or set trust.managed to false "
        "when certificates come from elsewhere");
  }
  std::unique_ptr<Member> member(new Member(std::move(settings), std::move(on_change), metrics));
  if (!member->settings_.trust.managed) return member;
  if (absl::Status opened = member->Open(metrics); !opened.ok()) return opened;
  return member;
}

Member::Member(Settings settings, std::function<void()> on_change, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      on_change_(std::move(on_change)),
      state_(std::make_shared<TrustState>(StateSettings(settings_), metrics)),
      clock_("trust-clock", kClockInterval, [this] { Tick(); }),
      renewal_("renewal", kRenewalInterval, [this] { Renew(); }) {}

Member::~Member() { Stop(); }

absl::Status Member::Open(metrics::Registry& metrics) {
  if (absl::Status s = FinishReplacing(settings_.mesh); !s.ok()) return s;
  if (settings_.listen) {
    if (absl::Status s = FinishReplacing(*settings_.listen); !s.ok()) return s;
  }
  const absl::Status loaded = state_->Load();
  if (absl::IsFailedPrecondition(loaded)) return loaded;
  if (absl::IsNotFound(loaded)) {
    log::Info("trust_state_not_kept_yet", "reason", loaded.message());
  } else if (!loaded.ok()) {
    log::Error("trust_state_not_used", "reason", loaded.message());
  }
  rpc::ChannelSettings channel;
  channel.target = settings_.server_target;
  channel.files = settings_.mesh;
  channel.trust_domain = settings_.trust_domain;
  // Not Check: with a state that is too old nothing newer could be heard. What is heard is signed.
  channel.check = [state = state_](const tls::CertificateRef& server) {
    return state->CheckRevoked(server);
  };
  auto made = rpc::Channel(channel);
  if (!made.ok()) return made.status();
  channel_ = *std::move(made);
  stub_ = v1::CertificateService::NewStub(channel_);
  renewers_.push_back(std::make_unique<Renewer>("mesh", settings_.mesh, *stub_, *state_, metrics));
  if (settings_.listen) {
    renewers_.push_back(
        std::make_unique<Renewer>("listen", *settings_.listen, *stub_, *state_, metrics));
  }
  if (settings_.watch) {
    watch_ = std::make_unique<TrustWatch>(channel_, !settings_.listen, *state_, [this] {
      state_->Tick();
      on_change_();
    });
  }
  return absl::OkStatus();
}

tls::RevocationCheck Member::check() const {
  if (!settings_.trust.managed) return nullptr;
  return [state = state_](const tls::CertificateRef& peer) { return state->Check(peer); };
}

absl::Status Member::Apply(const v1::WatchTrustResponse& step) {
  absl::Status applied = state_->Apply(step);
  if (!applied.ok()) log::Error("trust_step_refused", "reason", applied.message());
  state_->Tick();
  on_change_();
  return applied;
}

void Member::Start() {
  if (!settings_.trust.managed) return;
  state_->Tick();
  if (watch_) watch_->Start();
  clock_.Start();
  renewal_.Start();
}

void Member::Stop() {
  if (watch_) watch_->Stop();
  clock_.Stop();
  renewal_.Stop();
}

void Member::Tick() {
  if (!state_->Tick()) return;
  const std::vector<std::string> stale = state_->StaleIssuers();
  log::Error("trust_freshness_changed", "refused", absl::StrJoin(stale, ", "));
  on_change_();
}

void Member::Renew() {
  for (const auto& renewer : renewers_) renewer->Look(NowMicros() / kMicrosPerSecond);
}

http::Check Member::TrustCheck() const {
  http::Check check;
  check.name = "trust";
  const std::vector<std::string> stale = state_->StaleIssuers();
  if (stale.empty()) {
    check.detail = StrCat("revision ", state_->revision());
  } else {
    check.state = http::Check::State::kFail;
    check.detail = StrCat("no fresh CRL of ", absl::StrJoin(stale, ", "),
                          ": certificates of it are refused until the main server sends one");
  }
  return check;
}

std::vector<http::Check> Member::Checks() const {
  if (!settings_.trust.managed) return {};
  std::vector<http::Check> checks{TrustCheck()};
  for (const auto& renewer : renewers_) checks.push_back(renewer->Check());
  return checks;
}

}  // namespace postern::trust
