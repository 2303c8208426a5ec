#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <unordered_map>

#include "edge_proxy/durable_message.h"
#include "edge_proxy/registration_batch.h"
#include "postern/v1/registration_service.pb.h"
#include "services/common/metrics/metrics.h"

namespace postern::edge {

// Registers accepted messages with the main server, off the clients' path: gathers them into
// batches, keeps several calls in flight, and repeats what failed until the server has it. The
// buffer is bounded; what does not fit is left to its delivery. Thread-safe.
class Registrar {
 public:
  // `buffer_bytes`: what the buffer holds at most, calls in flight included.
  Registrar(std::shared_ptr<grpc::Channel> channel, std::size_t buffer_bytes,
            metrics::Registry& metrics);
  ~Registrar();

  void Start();
  // Sends what is left, waits for the answers up to `limit`, gives up the rest, joins the thread.
  // Idempotent.
  void Stop(std::chrono::milliseconds limit);

  // Takes what one pipeline made durable. Never waits.
  void Add(std::span<const DurableMessage> messages, std::int64_t durable_at_us);

  // The envelope of a message that is accepted and whose registration is not confirmed yet.
  std::optional<v1::Envelope> Find(const Uuid& id) const;
  // Whether the last call failed, so that nothing is being registered now.
  bool failing() const;
  // How long the oldest call has been under way; 0 when there is none, or while calls fail.
  std::chrono::milliseconds OldestAge() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::RegisterMessagesResponse>;
  struct Call;

  void Run();
  // The moment from which something can be sent; nullopt when that depends on an event.
  std::optional<Clock::time_point> NextSend() const;
  void SealOpenBatch();
  void Send(Call& call);
  void Finished(Call& call, const grpc::Status& status);
  // True when the batch must be sent again.
  bool Account(const Call& call, const grpc::Status& status);
  bool Empty() const { return open_->size() == 0 && ready_.empty() && calls_.empty(); }
  void CancelCalls();

  Stub stub_;
  const std::size_t buffer_bytes_;
  prometheus::Counter& registered_;
  prometheus::Counter& rejected_;
  prometheus::Counter& overflowed_;
  prometheus::Counter& calls_ok_;
  prometheus::Counter& calls_failed_;
  prometheus::Gauge& buffered_;
  metrics::Histogram& batch_messages_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<RegistrationBatch> open_;                 // Being filled.
  std::deque<std::shared_ptr<RegistrationBatch>> ready_;    // Full, or to be sent again.
  std::unordered_map<Call*, std::unique_ptr<Call>> calls_;  // In flight.
  std::size_t buffered_bytes_ = 0;
  Clock::time_point last_send_;
  Clock::time_point not_before_;
  std::chrono::milliseconds pause_{0};  // 0 while calls succeed.
  bool stopping_ = false;
  bool abandoned_ = false;
  std::minstd_rand jitter_{std::random_device{}()};
  std::thread thread_;
};

}  // namespace postern::edge
