#include "services/common/db/executor.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "services/common/log/log.h"

namespace postern::db {
namespace {

using SteadyClock = std::chrono::steady_clock;

// While the database is away, a thread tries to connect at most so often.
constexpr std::chrono::seconds kReconnectInterval{1};
// A connection that was idle for longer is tried before work gets it: the database may have been
// restarted meanwhile.
constexpr std::chrono::seconds kIdleTrusted{1};

void NameThread() {
  pthread_setname_np(pthread_self(), "db-executor");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct Executor::Impl {
  struct Item {
    Deadline deadline;
    Work work;
  };

  Impl(Settings connection_settings, std::size_t limit, metrics::Registry& metrics)
      : settings(std::move(connection_settings)),
        queue_max(limit),
        rejected(metrics.Counter("postern_db_rejected_total",
                                 "Pieces of database work refused because the queue was full.")),
        connects(metrics.Counter("postern_db_connects_total", "Database connections opened.")),
        connect_errors(metrics.Counter("postern_db_connect_errors_total",
                                       "Attempts to open a database connection that failed.")),
        busy(metrics.Gauge("postern_db_connections_in_use", "Executor threads that are working.")),
        waiting(metrics.MakeHistogram("postern_db_queue_wait_seconds",
                                      "Time that database work waited for a thread.",
                                      metrics::RequestBuckets())) {}

  // The thread's connection, opened when needed. `idle_since` and `next_attempt` are the thread's
  // own.
  absl::StatusOr<Connection*> Ready(std::unique_ptr<Connection>& connection,
                                    SteadyClock::time_point idle_since,
                                    SteadyClock::time_point& next_attempt) {
    if (connection != nullptr && SteadyClock::now() - idle_since > kIdleTrusted) connection->Ping();
    if (connection != nullptr && connection->usable()) return connection.get();
    connection.reset();
    if (SteadyClock::now() < next_attempt) {
      return absl::UnavailableError("database: not connected");
    }
    next_attempt = SteadyClock::now() + kReconnectInterval;
    absl::StatusOr<std::unique_ptr<Connection>> opened = Connection::Open(settings);
    if (!opened.ok()) {
      connect_errors.Increment();
      healthy = false;
      if (warn_limit.Allow()) {
        log::Warn("database_connect_failed", "error", opened.status().ToString());
      }
      return absl::UnavailableError(opened.status().message());
    }
    connects.Increment();
    next_attempt = {};
    connection = *std::move(opened);
    return connection.get();
  }

  void Run() {
    NameThread();
    const DriverThread driver_thread;
    std::unique_ptr<Connection> connection;
    SteadyClock::time_point next_attempt{};
    SteadyClock::time_point idle_since{};
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      auto [enqueued, item] = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      waiting.Observe(std::chrono::duration<double>(SteadyClock::now() - enqueued).count());
      Perform(item, connection, idle_since, next_attempt);
      idle_since = SteadyClock::now();
      item.work = nullptr;
      lock.lock();
    }
  }

  void Perform(Item& item, std::unique_ptr<Connection>& connection,
               SteadyClock::time_point idle_since, SteadyClock::time_point& next_attempt) {
    if (item.deadline.Expired()) {
      item.work(
          absl::DeadlineExceededError("the deadline passed before a database thread was free"));
      return;
    }
    busy.Increment();
    absl::StatusOr<Connection*> ready = Ready(connection, idle_since, next_attempt);
    item.work(ready);
    if (ready.ok()) healthy = (*ready)->usable();
    busy.Decrement();
  }

  const Settings settings;
  const std::size_t queue_max;
  prometheus::Counter& rejected;
  prometheus::Counter& connects;
  prometheus::Counter& connect_errors;
  prometheus::Gauge& busy;
  metrics::Histogram& waiting;
  log::RateLimit warn_limit;
  std::atomic<bool> healthy{true};

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::pair<SteadyClock::time_point, Item>> queue;
  bool stopping = false;
  std::vector<std::thread> threads;
};

Executor::Executor(Settings settings, std::size_t threads, std::size_t queue_max,
                   metrics::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(settings), queue_max, metrics)) {
  for (std::size_t i = 0; i < threads; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->Run(); });
  }
}

Executor::~Executor() { Stop(); }

bool Executor::TrySubmit(Deadline deadline, Work work) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->stopping && impl_->queue.size() < impl_->queue_max) {
      impl_->queue.emplace_back(SteadyClock::now(), Impl::Item{deadline, std::move(work)});
      impl_->wake.notify_one();
      return true;
    }
  }
  impl_->rejected.Increment();
  return false;
}

void Executor::Stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  for (std::thread& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
}

bool Executor::healthy() const { return impl_->healthy; }

}  // namespace postern::db
