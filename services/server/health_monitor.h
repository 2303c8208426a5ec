#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace postern::server {

// Follows a condition and tells when it changes. `probe` and `on_change` are called on its own
// thread; `on_change` once at the start, too.
class HealthMonitor {
 public:
  HealthMonitor(std::function<bool()> probe, std::function<void(bool)> on_change);
  ~HealthMonitor() { Stop(); }
  // Nothing is called any more once it returns. Idempotent.
  void Stop();

 private:
  void Run();
  const std::function<bool()> probe_;
  const std::function<void(bool)> on_change_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace postern::server
