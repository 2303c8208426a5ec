#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <thread>

namespace postern::worker {

// Keeps a channel connected while no call runs. With the callback API gRPC looks at a channel's
// sockets only during calls, and otherwise every 5 s: a handshake would take longer than its limit,
// and a server that went away would be noticed late. A thread of its own that waits for changes of
// the channel's state makes gRPC look all the time.
class ChannelKeeper {
 public:
  explicit ChannelKeeper(std::shared_ptr<grpc::Channel> channel);
  ~ChannelKeeper();

  // Connects, and connects again whenever the connection is lost. Once.
  void Start();
  // Returns within kStatePoll. May be called without Start, and again.
  void Stop();

 private:
  void Run();

  const std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace postern::worker
