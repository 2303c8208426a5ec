#include "worker/attempt_reporter.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "services/common/redis/queue_layout.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

bool IsWorthAnotherTry(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

AttemptReporter::AttemptReporter(boost::asio::io_context& io,
                                 const std::shared_ptr<grpc::Channel>& channel,
                                 WorkerMetrics& metrics)
    : io_(io), stub_(v1::DeliveryService::NewStub(channel)), metrics_(metrics), pause_timer_(io) {}

void AttemptReporter::Add(v1::FailedAttempt attempt) {
  if (cancelled_ || waiting_.size() >= kMaxReports) {
    metrics_.reports_dropped.Increment();
    return;
  }
  waiting_.push_back(std::move(attempt));
  if (running_) return;
  running_ = true;
  // Posted: the rest of a failed batch follows at once and goes with it.
  boost::asio::post(io_, [this] { Send(); });
}

void AttemptReporter::Send() {
  std::size_t bytes = request_.ByteSizeLong();
  while (!waiting_.empty() && bytes < kMaxBatchBytes &&
         static_cast<std::size_t>(request_.attempts_size()) < kMaxReportsPerCall) {
    bytes += waiting_.front().ByteSizeLong();
    request_.add_attempts()->Swap(&waiting_.front());
    waiting_.pop_front();
  }
  if (cancelled_ || request_.attempts_size() == 0) {
    running_ = false;
    return;
  }
  response_.Clear();
  context_ = std::make_unique<grpc::ClientContext>();
  context_->set_deadline(std::chrono::system_clock::now() + kReportTime);
  stub_->async()->ReportAttempts(
      context_.get(), &request_, &response_, [this](grpc::Status status) {
        boost::asio::post(io_, [this, status = std::move(status)] { OnDone(status); });
      });
}

void AttemptReporter::OnDone(const grpc::Status& status) {
  const auto count = static_cast<std::size_t>(request_.attempts_size());
  if (status.ok()) {
    metrics_.reports_sent.Increment(static_cast<double>(count));
    RemoveEntries();
    request_.Clear();
  } else if (!cancelled_ && IsWorthAnotherTry(status.error_code())) {
    SendAfterPause();
    return;
  } else {
    Drop(count, status);
    request_.Clear();
  }
  Send();
}

void AttemptReporter::RemoveEntries() const {
  for (const int position : response_.remove()) {
    if (position < 0 || position >= request_.attempts_size()) continue;
    const v1::QueuePosition& place = request_.attempts(position).position();
    const std::optional<EntryId> id = EntryId::Parse(place.entry_id());
    if (id && place.shard() < redis::kShards && on_remove_) on_remove_({place.shard(), *id});
  }
}

void AttemptReporter::SendAfterPause() {
  pause_timer_.expires_after(kReportPause);
  pause_timer_.async_wait([this](const boost::system::error_code&) { Send(); });
}

void AttemptReporter::Drop(std::size_t count, const grpc::Status& reason) {
  metrics_.reports_dropped.Increment(static_cast<double>(count));
  if (!log_limit_.Allow()) return;
  log::Warn("attempt_reports_dropped", "count", count, "code",
            static_cast<int>(reason.error_code()));
}

void AttemptReporter::Cancel() {
  cancelled_ = true;
  metrics_.reports_dropped.Increment(static_cast<double>(waiting_.size()));
  waiting_.clear();
  pause_timer_.cancel();
  if (context_ != nullptr) context_->TryCancel();
}

}  // namespace postern::worker
