#include "services/server/health_monitor.h"

#include <pthread.h>

#include <utility>

#include "services/server/limits.h"

namespace postern::server {

HealthMonitor::HealthMonitor(std::function<bool()> probe, std::function<void(bool)> on_change)
    : probe_(std::move(probe)), on_change_(std::move(on_change)), thread_([this] { Run(); }) {}

void HealthMonitor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HealthMonitor::Run() {
  pthread_setname_np(pthread_self(), "health");
  bool healthy = probe_();
  on_change_(healthy);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kHealthInterval, [this] { return stopping_; })) {
    if (const bool now = probe_(); now != healthy) on_change_(healthy = now);
  }
}

}  // namespace postern::server
