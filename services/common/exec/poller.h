#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace postern::exec {

// Does one thing at an interval, and at once when nudged, on a thread of its own. Start once; Nudge
// and Stop from any thread.
class Poller {
 public:
  // `name`: of the thread, at most 15 characters.
  Poller(std::string name, std::chrono::milliseconds interval, std::function<void()> look);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void Start();
  // Looks now rather than at the next turn.
  void Nudge();
  // Waits for a look in hand; nothing is called any more once it returns. Idempotent.
  void Stop();

 private:
  void Run();

  const std::string name_;
  const std::chrono::milliseconds interval_;
  const std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool nudged_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace postern::exec
