#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "services/common/db/connection.h"

namespace postern::db {

// A thread with a database connection of its own that does one thing again and again. Each
// statement is limited to 30 s. Stop from any thread.
class UpkeepThread {
 public:
  // A step says after how long to come again. A connection that a step broke is opened again for
  // the next one; while there is none, each interval tries.
  using Step = std::function<std::chrono::milliseconds(Connection&)>;

  struct Callbacks {
    Step step;
    std::function<void(const absl::Status&)> on_unavailable;  // There is no connection for a step.
    std::function<void(Connection&)> at_end;  // Last of all, if there is a connection.
  };

  // `name`: at most 15 characters.
  UpkeepThread(std::string name, Settings database, std::chrono::milliseconds interval,
               Callbacks callbacks);
  ~UpkeepThread();
  // Waits for the running step. Idempotent.
  void Stop();

 private:
  void Run();
  std::chrono::milliseconds RunStep(std::unique_ptr<Connection>& connection);

  const std::string name_;
  const Settings database_;
  const std::chrono::milliseconds interval_;
  const Callbacks callbacks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace postern::db
