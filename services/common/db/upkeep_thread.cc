#include "services/common/db/upkeep_thread.h"

#include <pthread.h>
#include <signal.h>

#include <memory>
#include <utility>

namespace postern::db {
namespace {

// Of each statement.
constexpr std::chrono::seconds kStatementTimeout{30};

}  // namespace

UpkeepThread::UpkeepThread(std::string name, Settings database, std::chrono::milliseconds interval,
                           Callbacks callbacks)
    : name_(std::move(name)),
      database_(std::move(database)),
      interval_(interval),
      callbacks_(std::move(callbacks)),
      thread_([this] { Run(); }) {}

UpkeepThread::~UpkeepThread() { Stop(); }

void UpkeepThread::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void UpkeepThread::Run() {
  pthread_setname_np(pthread_self(), name_.c_str());
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const DriverThread driver_thread;
  std::unique_ptr<Connection> connection;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const std::chrono::milliseconds pause = RunStep(connection);
    lock.lock();
    wake_.wait_for(lock, pause, [this] { return stopping_; });
  }
  lock.unlock();
  if (connection != nullptr && connection->usable()) callbacks_.at_end(*connection);
}

std::chrono::milliseconds UpkeepThread::RunStep(std::unique_ptr<Connection>& connection) {
  if (connection == nullptr || !connection->usable()) {
    connection.reset();
    auto opened = Connection::Open(database_);
    absl::Status status = opened.status();
    if (status.ok()) status = (*opened)->SetStatementTimeout(kStatementTimeout);
    if (!status.ok()) {
      callbacks_.on_unavailable(status);
      return interval_;
    }
    connection = *std::move(opened);
  }
  return callbacks_.step(*connection);
}

}  // namespace postern::db
