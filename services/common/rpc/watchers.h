#pragma once

#include <mutex>
#include <set>

#include "services/common/metrics/metrics.h"

namespace postern::rpc {

// Told when what it watches has changed. Called on the source's thread; must not block.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void OnChanged() = 0;
  // The source stops: nothing more will come.
  virtual void OnStopped() = 0;
};

// Who watches. Thread-safe.
class Watchers {
 public:
  // `count` shows how many there are.
  explicit Watchers(prometheus::Gauge& count) : count_(count) {}

  // Told of every change from now on, until Remove returns. False after Stop: not taken.
  bool Add(Watcher& watcher) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    watchers_.insert(&watcher);
    count_.Set(static_cast<double>(watchers_.size()));
    return true;
  }
  void Remove(Watcher& watcher) {
    const std::lock_guard lock(mutex_);
    watchers_.erase(&watcher);
    count_.Set(static_cast<double>(watchers_.size()));
  }
  void TellChanged() {
    const std::lock_guard lock(mutex_);
    for (Watcher* watcher : watchers_) watcher->OnChanged();
  }
  // Ends every watch, once.
  void Stop() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    for (Watcher* watcher : watchers_) watcher->OnStopped();
  }

 private:
  prometheus::Gauge& count_;
  std::mutex mutex_;
  std::set<Watcher*> watchers_;
  bool stopped_ = false;
};

}  // namespace postern::rpc
