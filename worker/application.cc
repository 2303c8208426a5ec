#include "worker/application.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <exception>
#include <utility>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/uuid.h"
#include "services/common/log/log.h"
#include "services/common/rpc/credentials.h"
#include "services/common/tls/context_source.h"
#include "services/common/tls/identity.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

namespace asio = boost::asio;

tls::Files RedisFiles(const Settings& settings) {
  tls::Files files = settings.mesh;
  files.trust = settings.redis_trust_file;
  return files;
}

Deliverer::Options DeliveryOptions(const Settings& settings) {
  Deliverer::Options options;
  options.batch_max = static_cast<std::size_t>(settings.batch_max);
  options.retry_interval = settings.retry_interval;
  return options;
}

}  // namespace

absl::StatusOr<Application::Ground> Application::MakeGround(const Settings& settings) {
  Ground ground;
  ground.registry = std::make_unique<metrics::Registry>("worker");
  trust::Member::Settings joining;
  joining.trust = settings.trust;
  joining.trust_domain = settings.trust_domain;
  joining.server_target = settings.server_target;
  joining.mesh = settings.mesh;
  // Nobody connects to a worker: there is nobody to cut.
  auto member = trust::Member::Create(
      std::move(joining), [] {}, *ground.registry);
  if (!member.ok()) return member.status();
  ground.member = *std::move(member);
  const absl::Status own = tls::CheckOwnCertificate(settings.mesh.certificate, tls::Role::kWorker,
                                                    settings.trust_domain);
  if (!own.ok()) return own;
  rpc::ChannelSettings channel_settings;
  channel_settings.target = settings.server_target;
  channel_settings.files = settings.mesh;
  channel_settings.trust_domain = settings.trust_domain;
  channel_settings.check = ground.member->check();
  auto channel = rpc::Channel(channel_settings);
  if (!channel.ok()) return channel.status();
  ground.channel = *std::move(channel);
  return ground;
}

absl::StatusOr<std::unique_ptr<Application>> Application::Create(const Settings& settings) {
  auto ground = MakeGround(settings);
  if (!ground.ok()) return ground.status();
  std::unique_ptr<Application> application(new Application(settings, *std::move(ground)));
  // What is wrong with the files shows now, not at the first connection.
  const auto redis = application->RedisSettings()();
  if (!redis.ok()) return redis.status();
  return application;
}

Application::Application(const Settings& settings, Ground ground)
    : settings_(settings),
      consumer_(StrCat(settings.name, "-", Uuid::Random().ToString())),
      registry_(std::move(ground.registry)),
      member_(std::move(ground.member)),
      channel_(std::move(ground.channel)),
      keeper_(channel_),
      metrics_(*registry_),
      safety_(*registry_),
      certificate_("mesh", settings.mesh.certificate, *registry_),
      io_(1),
      work_(asio::make_work_guard(io_)),
      in_flight_(static_cast<std::size_t>(settings.in_flight_max)),
      reporter_(io_, channel_, metrics_),
      acknowledger_(io_.get_executor(), RedisSettings(), in_flight_, metrics_),
      deliverer_(io_, channel_, DeliveryOptions(settings), in_flight_, acknowledger_, reporter_,
                 metrics_),
      reader_(io_.get_executor(), {consumer_, settings.read_interval}, RedisSettings(), in_flight_,
              deliverer_, metrics_),
      claimer_(io_.get_executor(), {consumer_, settings.retry_interval}, RedisSettings(),
               in_flight_, deliverer_, metrics_),
      monitor_(io_.get_executor(), {consumer_}, RedisSettings(), safety_, metrics_),
      ops_(*registry_, [this] { return Checks(); }) {
  metrics_.in_flight_max.Set(static_cast<double>(in_flight_.max()));
  registry_->GaugeFunction("postern_worker_in_flight",
                           "Messages taken from the queue and not yet acknowledged.",
                           [this] { return static_cast<double>(in_flight_.size()); });
  in_flight_.OnRoom([this] { reader_.Wake(); });
  reporter_.OnRemove([this](const EntryKey& key) {
    metrics_.dead.Increment();
    acknowledger_.Add(key);
  });
  deliverer_.OnServerBack([this] { reader_.Wake(); });
}

Application::~Application() { StopBy(Deadline::After(Deadline::Clock::duration::zero())); }

RedisLink::MakeSettings Application::RedisSettings() const {
  return [this]() -> absl::StatusOr<redis::Settings> {
    auto context = tls::ContextSource::Client(RedisFiles(settings_));
    if (!context.ok()) return context.status();
    auto password = ReadSecretFile(settings_.redis_password_file);
    if (!password.ok()) return password.status();
    redis::Settings settings;
    settings.host = settings_.redis_host;
    settings.port = static_cast<std::uint16_t>(settings_.redis_port);
    settings.user = settings_.redis_user;
    settings.password = *std::move(password);
    settings.client_name = consumer_;
    settings.tls = *std::move(context);
    return settings;
  };
}

std::vector<http::Check> Application::Checks() {
  using State = http::Check::State;
  http::Check redis;
  redis.name = "redis";
  if (!reader_.connected() || !acknowledger_.connected()) {
    redis.state = State::kFail;
    redis.detail = "not connected";
  } else if (std::string faults = safety_.faults(); !faults.empty()) {
    // It goes on delivering: what is out of such a queue cannot be lost in it.
    redis.state = State::kWarn;
    redis.detail = std::move(faults);
  }
  http::Check server;
  server.name = "server";
  const grpc_connectivity_state state = channel_->GetState(false);
  if (deliverer_.server_away() || state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    server.state = State::kFail;
    server.detail = "cannot be reached, or takes nothing now";
  } else if (state != GRPC_CHANNEL_READY) {
    server.state = State::kWarn;
    server.detail = "connecting";
  }
  std::vector<http::Check> checks{std::move(redis), std::move(server), certificate_.Check()};
  for (http::Check& check : member_->Checks()) checks.push_back(std::move(check));
  return checks;
}

void Application::Spawn(asio::awaitable<void> part) {
  asio::co_spawn(io_, std::move(part), [](std::exception_ptr error) {
    // A part that failed in an unforeseen way would leave a worker that looks alive.
    if (error) std::rethrow_exception(error);
  });
}

absl::Status Application::Start() {
  const absl::Status listening =
      ops_.Listen(settings_.ops_address, static_cast<std::uint16_t>(settings_.ops_port));
  if (!listening.ok()) return listening;
  member_->Start();
  keeper_.Start();
  Spawn(acknowledger_.Run());
  Spawn(reader_.Run());
  Spawn(claimer_.Run());
  Spawn(monitor_.Run());
  thread_ = std::thread([this] { io_.run(); });
  log::Info("worker_started", "consumer", consumer_, "server", settings_.server_target, "ops_port",
            ops_.port());
  return absl::OkStatus();
}

void Application::Stop() { StopBy(Deadline::After(settings_.drain_timeout)); }

void Application::StopBy(Deadline deadline) {
  if (!thread_.joinable()) return;
  log::Info("worker_stopping", "in_flight", in_flight_.size());
  ops_.SetDraining();
  asio::co_spawn(io_, StopInOrder(deadline), asio::use_future).get();
  work_.reset();
  thread_.join();
  keeper_.Stop();
  member_->Stop();
  ops_.Stop();
  log::Info("worker_stopped", "in_flight", in_flight_.size());
}

// The stop order. Each step hands its rest to the next one; past the deadline the rest stays
// pending in Redis.
asio::awaitable<void> Application::StopInOrder(Deadline deadline) {
  // 1. Take nothing more.
  reader_.Stop();
  claimer_.Stop();
  std::function<bool()> done = [this] { return reader_.stopped() && claimer_.stopped(); };
  const bool reads_ended = co_await Await(done, deadline);
  if (!reads_ended) {
    reader_.Close();
    claimer_.Close();
  }
  // 2. Deliver what is in hand.
  done = [this] { return deliverer_.idle(); };
  co_await Await(done, deadline);
  // 3. Acknowledge what was delivered, report what failed.
  acknowledger_.Hurry();
  done = [this] { return acknowledger_.idle() && reporter_.idle(); };
  co_await Await(done, deadline);
  // 4. Leave no consumer behind that holds nothing.
  monitor_.Stop();
  done = [this] { return monitor_.stopped(); };
  co_await Await(done, deadline);
  // 5. End what is still running.
  deliverer_.Cancel();
  reporter_.Cancel();
  acknowledger_.Stop();
  reader_.Close();
  claimer_.Close();
  monitor_.Close();
  // Cancelled calls call back at once: nothing may go before.
  done = [this] { return deliverer_.idle() && reporter_.idle(); };
  while (!co_await Await(done, Deadline::After(kMaxDeliveryTime))) {
  }
}

asio::awaitable<bool> Application::Await(std::function<bool()> done, Deadline deadline) {
  asio::steady_timer timer(io_);
  while (!done()) {
    if (deadline.Expired()) co_return false;
    timer.expires_after(kStopPoll);
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return true;
}

}  // namespace postern::worker
