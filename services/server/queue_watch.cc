#include "services/server/queue_watch.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

#include "services/common/redis/safety.h"

namespace postern::server {

QueueWatch::QueueWatch(redis::Settings settings, redis::QueueSafety& safety)
    : safety_(safety), queue_(std::move(settings)), thread_([this] { Run(); }) {}

void QueueWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  queue_.Stop();
  if (thread_.joinable()) thread_.join();
}

void QueueWatch::Run() {
  pthread_setname_np(pthread_self(), "queue-watch");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    Look();
    lock.lock();
    wake_.wait_for(lock, redis::kSafetyCheckInterval, [this] { return stopping_; });
  }
}

void QueueWatch::Look() {
  std::string wire;
  const std::size_t commands = redis::AppendSafetyCommands(wire);
  const auto replies = queue_.Exchange(std::move(wire), commands);
  if (!replies.ok()) return;
  const absl::StatusOr<redis::Faults> faults = redis::JudgeSafety(*replies);
  if (faults.ok()) safety_.Set(*faults);
}

}  // namespace postern::server
