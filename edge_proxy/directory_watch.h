#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "edge_proxy/client_directory.h"
#include "postern/v1/client_service.grpc.pb.h"
#include "services/common/metrics/metrics.h"

namespace postern::edge {

// Keeps a ClientDirectory up to date with the main server's watch RPC, on a thread of its own. A
// stream that ends is opened again within a second, from the revision reached.
class DirectoryWatch {
 public:
  // `directory` must outlive this. `on_change` is called on the watch's thread after each step that
  // was applied.
  DirectoryWatch(std::shared_ptr<grpc::Channel> channel, ClientDirectory& directory,
                 std::function<void()> on_change, metrics::Registry& metrics);
  ~DirectoryWatch();

  void Start();
  // Ends the stream and joins the thread. Idempotent.
  void Stop();
  // Whether there is a connection to the main server now. Thread-safe.
  bool connected() const {
    return channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
  }

 private:
  void Run();
  // One stream from its start to its end.
  grpc::Status WatchOnce();
  bool stopping();
  // False when it is time to stop.
  bool Pause(std::chrono::milliseconds duration);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ClientService::Stub> stub_;
  ClientDirectory& directory_;
  const std::function<void()> on_change_;
  prometheus::Gauge& clients_;
  prometheus::Gauge& revision_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  grpc::ClientContext* context_ = nullptr;  // Of the stream that is open.
  std::thread thread_;
};

}  // namespace postern::edge
