#include "services/common/exec/poller.h"

#include <pthread.h>

#include <utility>

namespace postern::exec {

Poller::Poller(std::string name, std::chrono::milliseconds interval, std::function<void()> look)
    : name_(std::move(name)), interval_(interval), look_(std::move(look)) {}

Poller::~Poller() { Stop(); }

void Poller::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Poller::Nudge() {
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  wake_.notify_all();
}

void Poller::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Poller::Run() {
  pthread_setname_np(pthread_self(), name_.c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, interval_, [this] { return stopping_ || nudged_; });
    if (stopping_) return;
    nudged_ = false;
    lock.unlock();
    look_();
    lock.lock();
  }
}

}  // namespace postern::exec
