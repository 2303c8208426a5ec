#include "worker/delivery.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/time.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

constexpr std::size_t kSpareBatches = 2 * kMaxCalls;
constexpr double kMicrosPerSecond = 1e6;
// A batch that arrived in time lets the next ones grow by this part.
constexpr std::size_t kGrowthShare = 8;

std::chrono::milliseconds CallTime(std::chrono::milliseconds retry_interval) {
  const auto share = std::chrono::duration_cast<std::chrono::milliseconds>(
      retry_interval * kDeliveryShareOfInterval);
  return std::min(kMaxDeliveryTime, share);
}

// The last one: this worker is not let in, as with a certificate that was replaced a moment ago. No
// fault of the message.
bool IsNoAttempt(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         code == grpc::StatusCode::UNAUTHENTICATED;
}

std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Deliverer::Deliverer(boost::asio::io_context& io, const std::shared_ptr<grpc::Channel>& channel,
                     Options options, InFlight& in_flight, Acknowledger& acknowledger,
                     AttemptReporter& reporter, WorkerMetrics& metrics)
    : io_(io),
      channel_(channel),
      stub_(v1::DeliveryService::NewStub(channel)),
      options_(options),
      call_time_(CallTime(options.retry_interval)),
      in_flight_(in_flight),
      acknowledger_(acknowledger),
      reporter_(reporter),
      metrics_(metrics),
      batch_limit_(options.batch_max),
      pause_timer_(io) {}

std::size_t Deliverer::Deliver(const std::vector<QueueEntry>& entries, Origin origin) {
  const auto taken_at = std::chrono::steady_clock::now();
  std::size_t taken = 0;
  for (const QueueEntry& entry : entries) taken += Add(entry, origin, taken_at) ? 1 : 0;
  SendReady();
  return taken;
}

bool Deliverer::Add(const QueueEntry& entry, Origin origin,
                    std::chrono::steady_clock::time_point taken_at) {
  if (!in_flight_.Take(entry.key, origin)) return false;
  if (!Filling().Add(entry, taken_at)) metrics_.unreadable.Increment();
  if (filling_->size() >= options_.batch_max || filling_->bytes() >= kMaxBatchBytes) {
    ready_.push_back(std::move(filling_));
  }
  return true;
}

DeliveryBatch& Deliverer::Filling() {
  if (filling_ == nullptr) filling_ = EmptyBatch();
  return *filling_;
}

Deliverer::Batch Deliverer::EmptyBatch() {
  if (spare_.empty()) return std::make_unique<DeliveryBatch>();
  Batch batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

// What waits longest, as much of it as a call may carry now: batches that were filled before calls
// took too long go in parts, and parts go together once they do not any more.
Deliverer::Batch Deliverer::NextBatch() {
  Batch next = EmptyBatch();
  while (next->size() < batch_limit_ && next->bytes() < kMaxBatchBytes) {
    Batch& waiting = ready_.empty() ? filling_ : ready_.front();
    if (waiting == nullptr) break;
    if (next->empty() && waiting->size() <= batch_limit_) {
      next.swap(waiting);
    } else {
      next->TakeFrom(*waiting, batch_limit_);
    }
    if (!waiting->empty()) break;
    Recycle(std::move(waiting));
    if (!ready_.empty()) ready_.pop_front();
  }
  return next;
}

void Deliverer::SendReady() {
  if (pausing_) return;
  // One call finds out whether the server is back.
  const std::size_t calls = server_away() ? 1 : kMaxCalls;
  while (running_.size() < calls && (!ready_.empty() || filling_ != nullptr)) {
    Send(NextBatch());
  }
}

void Deliverer::Send(Batch batch) {
  DeliveryBatch* const raw = batch.get();
  running_.push_back(std::move(batch));
  metrics_.delivery_batch.Observe(static_cast<double>(raw->size()));
  grpc::ClientContext& context = raw->NewContext(call_time_);
  stub_->async()->DeliverMessages(
      &context, &raw->request(), &raw->response(), [this, raw](grpc::Status status) {
        boost::asio::post(io_, [this, raw, status = std::move(status)] { OnDone(raw, status); });
      });
}

Deliverer::Batch Deliverer::TakeRunning(DeliveryBatch* batch) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [batch](const Batch& other) { return other.get() == batch; });
  Batch taken = std::move(*found);
  running_.erase(found);
  return taken;
}

void Deliverer::OnDone(DeliveryBatch* raw, const grpc::Status& status) {
  Batch batch = TakeRunning(raw);
  metrics_.attempt_seconds.ObserveMany(Seconds(std::chrono::steady_clock::now() - batch->sent_at()),
                                       batch->size());
  if (cancelled_ && !status.ok()) {
    GiveBack(*batch);
  } else if (IsNoAttempt(status.error_code())) {
    OnServerAway(std::move(batch), status);
    return;
  } else if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) AskForLess(batch->size());
    OnFailure(*batch, CodeName(status.error_code()));
    if (log_limit_.Allow()) {
      log::Warn("delivery_failed", "code", CodeName(status.error_code()), "messages",
                batch->size());
    }
  } else if (batch->response().outcomes_size() != batch->request().deliveries_size()) {
    log::Error("delivery_answer_malformed", "messages", batch->size(), "outcomes",
               batch->response().outcomes_size());
    OnFailure(*batch, "MALFORMED_ANSWER");
  } else {
    AskForMore(batch->size());
    OnAnswer(*batch);
  }
  Recycle(std::move(batch));
  pause_ = std::chrono::milliseconds::zero();
  const bool was_away = server_away_.exchange(false, std::memory_order_relaxed);
  SendReady();
  if (!was_away) return;
  log::Info("server_back");
  if (on_server_back_) on_server_back_();
}

// Where a slow server cannot take a batch in time, the same batch would fail for ever.
void Deliverer::AskForLess(std::size_t failed) {
  batch_limit_ = std::min(batch_limit_, std::max<std::size_t>(1, failed / 2));
}

void Deliverer::AskForMore(std::size_t taken) {
  if (taken < batch_limit_) return;
  batch_limit_ = std::min(options_.batch_max, batch_limit_ + 1 + batch_limit_ / kGrowthShare);
}

void Deliverer::OnServerAway(Batch batch, const grpc::Status& status) {
  metrics_.server_away.Increment();
  if (!server_away_.exchange(true, std::memory_order_relaxed)) {
    log::Warn("server_away", "code", CodeName(status.error_code()));
  }
  ready_.push_front(std::move(batch));
  if (pausing_) return;
  pausing_ = true;
  pause_ = std::clamp(pause_ * 2, kServerPauseFirst, kServerPauseLast);
  pause_timer_.expires_after(pause_);
  pause_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) TryServerAgain();
  });
}

void Deliverer::TryServerAgain() {
  pausing_ = false;
  // The channel's own pauses grow to a second and come on top of ours.
  if (channel_->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  }
  SendReady();
}

void Deliverer::OnAnswer(DeliveryBatch& batch) {
  const std::int64_t now_us = NowMicros();
  for (int i = 0; i < batch.response().outcomes_size(); ++i) {
    const v1::DeliveryOutcome& outcome = batch.response().outcomes(i);
    const EntryKey& key = batch.entries()[static_cast<std::size_t>(i)].key;
    switch (outcome.result()) {
      case v1::DELIVERY_RESULT_DELIVERED:
        Delivered(batch, i, now_us);
        break;
      case v1::DELIVERY_RESULT_DEAD:
        metrics_.dead.Increment();
        acknowledger_.Add(key);
        break;
      default:
        metrics_.retried.Increment();
        Retry(batch, i, outcome.reason(), now_us);
    }
  }
  in_flight_.NotifyRoom();
}

void Deliverer::Delivered(DeliveryBatch& batch, int index, std::int64_t now_us) {
  const std::int64_t accepted_us = batch.request().deliveries(index).envelope().accepted_at_us();
  metrics_.delivered.Increment();
  metrics_.end_to_end_seconds.Observe(
      static_cast<double>(std::max<std::int64_t>(0, now_us - accepted_us)) / kMicrosPerSecond);
  metrics_.last_delivery.Set(static_cast<double>(now_us) / kMicrosPerSecond);
  acknowledger_.Add(batch.entries()[static_cast<std::size_t>(index)].key);
}

void Deliverer::OnFailure(DeliveryBatch& batch, const std::string& reason) {
  const std::int64_t now_us = NowMicros();
  metrics_.failed.Increment(static_cast<double>(batch.size()));
  for (int i = 0; i < batch.request().deliveries_size(); ++i) Retry(batch, i, reason, now_us);
  in_flight_.NotifyRoom();
}

void Deliverer::Retry(DeliveryBatch& batch, int index, const std::string& reason,
                      std::int64_t now_us) {
  const DeliveryBatch::Entry& entry = batch.entries()[static_cast<std::size_t>(index)];
  in_flight_.Release(entry.key);
  v1::Delivery& delivery = *batch.request().mutable_deliveries(index);
  // Without an id there is no row that could show the attempt.
  if (delivery.envelope().id().empty()) return;
  using std::chrono::microseconds;
  const auto held =
      std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - entry.taken_at);
  const microseconds left = std::max(microseconds(options_.retry_interval) - held, microseconds(0));
  v1::FailedAttempt attempt;
  attempt.mutable_envelope()->Swap(delivery.mutable_envelope());
  attempt.mutable_position()->Swap(delivery.mutable_position());
  attempt.set_attempted_at_us(now_us);
  attempt.set_next_attempt_at_us(now_us + left.count());
  attempt.set_reason(reason);
  reporter_.Add(std::move(attempt));
}

void Deliverer::GiveBack(DeliveryBatch& batch) {
  for (const DeliveryBatch::Entry& entry : batch.entries()) in_flight_.Release(entry.key);
}

void Deliverer::Recycle(Batch batch) {
  if (spare_.size() >= kSpareBatches) return;
  batch->Clear();
  spare_.push_back(std::move(batch));
}

void Deliverer::Cancel() {
  cancelled_ = true;
  pause_timer_.cancel();
  if (filling_ != nullptr) ready_.push_back(std::move(filling_));
  for (const Batch& batch : ready_) GiveBack(*batch);
  ready_.clear();
  for (const Batch& batch : running_) batch->Cancel();
}

}  // namespace postern::worker
