#include "worker/channel_keeper.h"

#include <chrono>
#include <utility>

#include "worker/limits.h"

namespace postern::worker {

ChannelKeeper::ChannelKeeper(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)) {}

ChannelKeeper::~ChannelKeeper() { Stop(); }

void ChannelKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ChannelKeeper::Stop() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

void ChannelKeeper::Run() {
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool changed = false;
  while (!stopping_.load()) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    channel_->NotifyOnStateChange(state, std::chrono::system_clock::now() + kStatePoll, &queue,
                                  nullptr);
    queue.Next(&tag, &changed);
  }
  queue.Shutdown();
  while (queue.Next(&tag, &changed)) {
  }
}

}  // namespace postern::worker
