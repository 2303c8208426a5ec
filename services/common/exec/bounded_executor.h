#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace postern::exec {

// A fixed number of threads behind a bounded queue, for work that blocks or takes long. Submitting
// never blocks. Thread-safe.
class BoundedExecutor {
 public:
  using Work = std::function<void()>;

  // `name`: at most 15 characters, shown by ps and perf. Signals are blocked in the threads.
  BoundedExecutor(std::string name, std::size_t threads, std::size_t queue_max);
  // Stops as Stop() does.
  ~BoundedExecutor();

  // False when `queue_max` pieces of work wait already, or after Stop(): the work was not taken.
  [[nodiscard]] bool TrySubmit(Work work);
  // Does what is queued, then joins the threads: may block for as long as the work takes.
  // Idempotent.
  void Stop();
  std::size_t queued() const;

 private:
  void Run();
  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace postern::exec
