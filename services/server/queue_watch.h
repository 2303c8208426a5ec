#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "services/common/redis/connection.h"
#include "services/common/redis/queue_safety.h"
#include "services/messages/queue_client.h"

namespace postern::server {

// Looks twice a second at the settings of Redis that can lose messages, over a connection of its
// own, and tells `safety`. While Redis cannot be asked, what was seen last stands.
class QueueWatch {
 public:
  QueueWatch(redis::Settings settings, redis::QueueSafety& safety);
  ~QueueWatch() { Stop(); }
  // Idempotent.
  void Stop();

 private:
  void Run();
  void Look();

  redis::QueueSafety& safety_;
  messages::QueueClient queue_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace postern::server
