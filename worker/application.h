#pragma once

#include <grpcpp/grpcpp.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/app/certificate_watch.h"
#include "services/common/base/time.h"
#include "services/common/http/ops_server.h"
#include "services/common/metrics/metrics.h"
#include "services/common/redis/queue_safety.h"
#include "services/common/trust/member.h"
#include "worker/acknowledger.h"
#include "worker/attempt_reporter.h"
#include "worker/channel_keeper.h"
#include "worker/claimer.h"
#include "worker/delivery.h"
#include "worker/in_flight.h"
#include "worker/queue_monitor.h"
#include "worker/queue_reader.h"
#include "worker/settings.h"
#include "worker/worker_metrics.h"

namespace postern::worker {

// The worker: makes its parts, runs them on one thread, stops them in order.
class Application {
 public:
  // FailedPrecondition or NotFound when a file is missing or unusable. Redis and the server may be
  // away.
  static absl::StatusOr<std::unique_ptr<Application>> Create(const Settings& settings);
  // Stops, if it runs, without waiting for what is in hand.
  ~Application();

  // Opens the operations port and begins to work.
  absl::Status Start();
  // Stops in order, within the drain timeout. What could not be finished stays pending in Redis,
  // for other workers.
  void Stop();

  std::uint16_t ops_port() const { return ops_.port(); }
  const std::string& consumer() const { return consumer_; }
  metrics::Registry& metrics() { return *registry_; }
  // What the operations port says of its parts.
  std::vector<http::Check> Checks();

 private:
  // What must be there before the rest.
  struct Ground {
    std::unique_ptr<metrics::Registry> registry;
    std::unique_ptr<trust::Member> member;
    std::shared_ptr<grpc::Channel> channel;
  };

  Application(const Settings& settings, Ground ground);

  static absl::StatusOr<Ground> MakeGround(const Settings& settings);

  RedisLink::MakeSettings RedisSettings() const;
  void StopBy(Deadline deadline);
  void Spawn(boost::asio::awaitable<void> part);
  boost::asio::awaitable<void> StopInOrder(Deadline deadline);
  // Waits until `done` or the deadline: whether it was done.
  boost::asio::awaitable<bool> Await(std::function<bool()> done, Deadline deadline);

  const Settings settings_;
  const std::string consumer_;
  const std::unique_ptr<metrics::Registry> registry_;
  const std::unique_ptr<trust::Member> member_;
  const std::shared_ptr<grpc::Channel> channel_;
  ChannelKeeper keeper_;
  WorkerMetrics metrics_;
  redis::QueueSafety safety_;
  app::CertificateWatch certificate_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  InFlight in_flight_;
  AttemptReporter reporter_;
  Acknowledger acknowledger_;
  Deliverer deliverer_;
  QueueReader reader_;
  Claimer claimer_;
  QueueMonitor monitor_;
  http::OpsServer ops_;
  std::thread thread_;
};

}  // namespace postern::worker
