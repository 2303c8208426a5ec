#include "services/messages/message_writer.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "services/common/log/log.h"
#include "services/messages/recent_ids.h"
#include "services/messages/write_transaction.h"

namespace postern::messages {
namespace {

using SteadyClock = std::chrono::steady_clock;

// While the database is away, connecting is tried at most so often.
constexpr std::chrono::milliseconds kReconnectInterval{500};

struct Batch;

struct HeldRegistration : RegistrationWrite {
  Batch* batch = nullptr;
  bool settled = false;
  bool due = false;      // Its hold is over: it is in no list any more.
  bool merging = false;  // The running transaction writes it with its delivery.
};

// One call's items, all of one kind.
struct Batch {
  std::vector<HeldRegistration> registrations;
  std::vector<DeliveryWrite> deliveries;
  std::vector<AttemptWrite> attempts;
  Deadline deadline;
  MessageWriter::Done done;
  std::size_t messages = 0;
  std::size_t unsettled = 0;  // Registrations only.
  absl::Status status;
  SteadyClock::time_point due{};  // Registrations only.

  Batch(Deadline limit, MessageWriter::Done on_done) : deadline(limit), done(std::move(on_done)) {}
};
using BatchPtr = std::unique_ptr<Batch>;

void Complete(Batch& batch) {
  std::vector<Outcome> outcomes;
  if (batch.status.ok()) {
    outcomes.reserve(batch.messages);
    for (HeldRegistration& write : batch.registrations) outcomes.push_back(write.outcome);
    for (DeliveryWrite& write : batch.deliveries) outcomes.push_back(std::move(write.outcome));
    for (AttemptWrite& write : batch.attempts) outcomes.push_back(std::move(write.outcome));
  }
  // Afterwards the request that the items point into may be gone.
  const MessageWriter::Done done = std::move(batch.done);
  done(std::move(batch.status), std::move(outcomes));
}

// The callers' error: what is wrong with the database is for the log.
absl::Status ForCallers(const absl::Status& status) {
  if (status.ok() || absl::IsDeadlineExceeded(status)) return status;
  return absl::UnavailableError("the database cannot be written");
}

}  // namespace

class MessageWriter::Impl {
 public:
  Impl(Settings settings, const EnvelopeReaderFactory& readers, metrics::Registry& metrics);

  bool TrySubmit(BatchPtr batch);
  void Stop();
  bool healthy() const { return healthy_; }

 private:
  void Run();
  bool WaitForWork();
  void Accept(std::deque<BatchPtr> arrived);
  void AcceptRegistrations(BatchPtr batch);
  void AcceptDeliveries(BatchPtr batch);
  void Cycle();
  void GatherBacklog();
  void GatherDue(SteadyClock::time_point now);
  void Finish(const absl::Status& status);
  void Settle(HeldRegistration& write, const absl::Status& status);
  void Finish(Batch& batch);
  bool HasDue(SteadyClock::time_point now) const;
  absl::StatusOr<db::Connection*> Ready();

  const Settings settings_;
  WriteTransaction transaction_;
  std::atomic<bool> healthy_{true};

  prometheus::Counter& delivered_;
  prometheus::Counter& dead_;
  prometheus::Counter& merged_;
  prometheus::Counter& overtaken_;
  prometheus::Counter& registered_;
  prometheus::Counter& failed_;
  prometheus::Gauge& in_hand_gauge_;
  metrics::Histogram& rows_;
  metrics::Histogram& seconds_;
  metrics::Histogram& delivery_seconds_;
  log::RateLimit warn_limit_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<BatchPtr> arrived_;
  std::size_t in_hand_ = 0;
  bool stopping_ = false;
  bool waits_for_arrivals_ = false;

  // The thread's own.
  std::unique_ptr<db::Connection> connection_;
  SteadyClock::time_point next_connect_{};
  SteadyClock::time_point next_commit_{};
  bool flushing_ = false;
  std::deque<BatchPtr> backlog_;  // Deliveries and attempts to write.
  std::deque<BatchPtr> held_;     // Registrations, by due time.
  absl::flat_hash_map<Uuid, HeldRegistration*> held_by_id_;
  RecentIds recent_{kRecentIdsPerGeneration};
  // Of the transaction that runs.
  WriteSet set_;
  std::vector<BatchPtr> writing_;

  std::thread thread_;
};

MessageWriter::Impl::Impl(Settings settings, const EnvelopeReaderFactory& readers,
                          metrics::Registry& metrics)
    : settings_(std::move(settings)),
      transaction_(settings_.server_name, readers(), settings_.attempts_max, settings_.tally_sink),
      delivered_(metrics.Counter("postern_messages_delivered_total",
                                 "Deliveries answered as stored, repeated ones included.")),
      dead_(metrics.Counter("postern_dead_letters_total", "Deliveries answered as dead.")),
      merged_(metrics.Counter("postern_registrations_total", "Registrations by what they cost.",
                              {{"result", "merged"}})),
      overtaken_(metrics.Counter("postern_registrations_total", "Registrations by what they cost.",
                                 {{"result", "delivered_before"}})),
      registered_(metrics.Counter("postern_registrations_total", "Registrations by what they cost.",
                                  {{"result", "written"}})),
      failed_(metrics.Counter("postern_writer_failures_total",
                              "Transactions that failed and were sent back.")),
      in_hand_gauge_(
          metrics.Gauge("postern_writer_messages_in_hand",
                        "Messages that wait for their transaction, held ones included.")),
      rows_(metrics.MakeHistogram("postern_writer_transaction_messages",
                                  "Messages in one transaction.", metrics::BatchBuckets())),
      seconds_(metrics.MakeHistogram("postern_writer_transaction_seconds",
                                     "Duration of one transaction, its commit included.",
                                     metrics::RequestBuckets())),
      delivery_seconds_(
          metrics.MakeHistogram("postern_message_delivery_seconds",
                                "From the acceptance of a message to the commit of its delivery.",
                                metrics::RequestBuckets())),
      thread_([this] { Run(); }) {}

bool MessageWriter::Impl::TrySubmit(BatchPtr batch) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || in_hand_ + batch->messages > settings_.messages_max) return false;
  in_hand_ += batch->messages;
  arrived_.push_back(std::move(batch));
  if (waits_for_arrivals_) wake_.notify_one();
  return true;
}

void MessageWriter::Impl::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void MessageWriter::Impl::Run() {
  pthread_setname_np(pthread_self(), "message-writer");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const db::DriverThread driver_thread;
  while (WaitForWork()) Cycle();
  connection_.reset();
}

bool MessageWriter::Impl::HasDue(SteadyClock::time_point now) const {
  return !held_.empty() && (flushing_ || held_.front()->due <= now);
}

// Takes in what arrives until it is time for a transaction. False when there is nothing left to do
// and never will be.
bool MessageWriter::Impl::WaitForWork() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!arrived_.empty()) {
      std::deque<BatchPtr> arrived = std::move(arrived_);
      arrived_.clear();
      lock.unlock();
      Accept(std::move(arrived));
      lock.lock();
      continue;
    }
    in_hand_gauge_.Set(static_cast<double>(in_hand_));
    flushing_ = stopping_;
    if (flushing_) return !backlog_.empty() || !held_.empty();
    const SteadyClock::time_point now = SteadyClock::now();
    const bool ready = !backlog_.empty() || HasDue(now);
    if (ready && now >= next_commit_) return true;
    if (ready) {
      // Spaced: what arrives meanwhile joins the next transaction and need not wake anybody.
      wake_.wait_until(lock, next_commit_);
      continue;
    }
    waits_for_arrivals_ = true;
    if (held_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, held_.front()->due);
    }
    waits_for_arrivals_ = false;
  }
}

void MessageWriter::Impl::Accept(std::deque<BatchPtr> arrived) {
  for (BatchPtr& batch : arrived) {
    if (!batch->registrations.empty()) {
      AcceptRegistrations(std::move(batch));
    } else if (!batch->deliveries.empty()) {
      AcceptDeliveries(std::move(batch));
    } else {
      backlog_.push_back(std::move(batch));
    }
  }
}

void MessageWriter::Impl::AcceptRegistrations(BatchPtr batch) {
  batch->due = SteadyClock::now() + settings_.registration_hold;
  for (HeldRegistration& write : batch->registrations) {
    write.batch = batch.get();
    if (recent_.Contains(write.item.id)) {
      write.settled = true;
      --batch->unsettled;
      overtaken_.Increment();
      continue;
    }
    held_by_id_.try_emplace(write.item.id, &write);
  }
  if (batch->unsettled == 0) {
    Finish(*batch);
  } else {
    held_.push_back(std::move(batch));
  }
}

void MessageWriter::Impl::AcceptDeliveries(BatchPtr batch) {
  const bool all_known =
      std::all_of(batch->deliveries.begin(), batch->deliveries.end(),
                  [this](const DeliveryWrite& write) { return recent_.Contains(write.item.id); });
  if (all_known) {
    delivered_.Increment(static_cast<double>(batch->messages));
    Finish(*batch);
  } else {
    backlog_.push_back(std::move(batch));
  }
}

void MessageWriter::Impl::Cycle() {
  const SteadyClock::time_point start = SteadyClock::now();
  next_commit_ = start + settings_.commit_interval;
  GatherBacklog();
  GatherDue(start);
  absl::Status status;
  if (set_.size() > 0) {
    absl::StatusOr<db::Connection*> connection = Ready();
    status = connection.ok() ? transaction_.Write(**connection, set_) : connection.status();
    healthy_ = status.ok();
    rows_.Observe(static_cast<double>(set_.size()));
    seconds_.Observe(std::chrono::duration<double>(SteadyClock::now() - start).count());
  }
  if (!status.ok()) {
    failed_.Increment();
    if (warn_limit_.Allow()) log::Warn("messages_not_written", "error", status.ToString());
  }
  Finish(ForCallers(status));
}

// Whole batches, until the transaction is full.
void MessageWriter::Impl::GatherBacklog() {
  while (!backlog_.empty() && set_.size() < kTransactionRowsMax) {
    BatchPtr batch = std::move(backlog_.front());
    backlog_.pop_front();
    if (batch->deadline.Expired()) {
      batch->status = absl::DeadlineExceededError("the deadline passed before the transaction");
      Finish(*batch);
      continue;
    }
    for (DeliveryWrite& write : batch->deliveries) {
      if (recent_.Contains(write.item.id)) continue;
      const auto held = held_by_id_.find(write.item.id);
      if (held != held_by_id_.end()) {
        held->second->merging = true;
        write.registration = held->second;
      }
      set_.deliveries.push_back(&write);
    }
    for (AttemptWrite& write : batch->attempts) set_.attempts.push_back(&write);
    writing_.push_back(std::move(batch));
  }
}

void MessageWriter::Impl::GatherDue(SteadyClock::time_point now) {
  // A share of its own: deliveries without end must not keep registrations waiting.
  while (HasDue(now) &&
         (set_.size() < kTransactionRowsMax || set_.registrations.size() < kDueRegistrationsMin)) {
    BatchPtr batch = std::move(held_.front());
    held_.pop_front();
    if (batch->unsettled == 0) continue;
    const bool expired = batch->deadline.Expired();
    for (HeldRegistration& write : batch->registrations) {
      write.due = true;
      if (write.settled || write.merging) continue;
      if (expired) {
        Settle(write, absl::DeadlineExceededError("the deadline passed before the transaction"));
      } else {
        set_.registrations.push_back(&write);
      }
    }
    writing_.push_back(std::move(batch));
  }
}

// After the transaction: tells everybody who had a part in it.
void MessageWriter::Impl::Finish(const absl::Status& status) {
  const std::int64_t now_us = NowMicros();
  for (DeliveryWrite* write : set_.deliveries) {
    if (status.ok() && write->outcome.kind == Outcome::Kind::kStored) {
      recent_.Add(write->item.id);
      delivered_.Increment();
      const auto elapsed_us = now_us - write->item.delivery->envelope().accepted_at_us();
      delivery_seconds_.Observe(static_cast<double>(elapsed_us) / 1e6);
    } else if (status.ok()) {
      dead_.Increment();
    }
    if (write->registration == nullptr) continue;
    auto& held = static_cast<HeldRegistration&>(*write->registration);
    held.merging = false;
    if (held.settled || (!status.ok() && !held.due)) continue;
    if (status.ok()) merged_.Increment();
    Settle(held, status);
  }
  for (RegistrationWrite* write : set_.registrations) {
    if (status.ok()) registered_.Increment();
    Settle(static_cast<HeldRegistration&>(*write), status);
  }
  for (BatchPtr& batch : writing_) {
    if (!batch->registrations.empty()) continue;  // Settled one by one.
    batch->status = status;
    Finish(*batch);
  }
  set_ = {};
  writing_.clear();
}

void MessageWriter::Impl::Settle(HeldRegistration& write, const absl::Status& status) {
  const auto held = held_by_id_.find(write.item.id);
  if (held != held_by_id_.end() && held->second == &write) held_by_id_.erase(held);
  write.settled = true;
  if (!status.ok()) write.batch->status = status;
  if (--write.batch->unsettled == 0) Finish(*write.batch);
}

void MessageWriter::Impl::Finish(Batch& batch) {
  {
    const std::lock_guard lock(mutex_);
    in_hand_ -= batch.messages;
  }
  Complete(batch);
}

absl::StatusOr<db::Connection*> MessageWriter::Impl::Ready() {
  if (connection_ != nullptr && connection_->usable()) return connection_.get();
  connection_.reset();
  const SteadyClock::time_point now = SteadyClock::now();
  if (now < next_connect_) return absl::UnavailableError("database: not connected");
  next_connect_ = now + kReconnectInterval;
  auto opened = db::Connection::Open(settings_.database);
  if (!opened.ok()) return opened.status();
  absl::Status status = (*opened)->SetStatementTimeout(kWriterStatementTimeout);
  if (!status.ok()) return status;
  connection_ = *std::move(opened);
  return connection_.get();
}

MessageWriter::MessageWriter(Settings settings, const EnvelopeReaderFactory& readers,
                             metrics::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(settings), readers, metrics)) {}

MessageWriter::~MessageWriter() { Stop(); }

bool MessageWriter::TryRegister(std::vector<RegistrationItem> items, Deadline deadline, Done done) {
  auto batch = std::make_unique<Batch>(deadline, std::move(done));
  batch->messages = batch->unsettled = items.size();
  batch->registrations.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) batch->registrations[i].item = items[i];
  return impl_->TrySubmit(std::move(batch));
}

bool MessageWriter::TryDeliver(std::vector<DeliveryItem> items, Deadline deadline, Done done) {
  auto batch = std::make_unique<Batch>(deadline, std::move(done));
  batch->messages = items.size();
  batch->deliveries.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) batch->deliveries[i].item = std::move(items[i]);
  return impl_->TrySubmit(std::move(batch));
}

bool MessageWriter::TryRecordAttempts(std::vector<AttemptItem> items, Deadline deadline,
                                      Done done) {
  auto batch = std::make_unique<Batch>(deadline, std::move(done));
  batch->messages = items.size();
  batch->attempts.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) batch->attempts[i].item = items[i];
  return impl_->TrySubmit(std::move(batch));
}

void MessageWriter::Stop() { impl_->Stop(); }

bool MessageWriter::healthy() const { return impl_->healthy(); }

}  // namespace postern::messages
