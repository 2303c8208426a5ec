#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "postern/v1/delivery_service.pb.h"
#include "worker/queue_entry.h"

namespace postern::worker {

// Entries that are delivered by one call. Reused: a cleared request keeps the memory of its
// messages. Not thread-safe.
class DeliveryBatch {
 public:
  // Copies the entry's content out of the reply. `taken_at`: when Redis began to count its idle
  // time. False when the entry is not a readable envelope: it then goes as such, for the server to
  // record it as dead.
  bool Add(const QueueEntry& entry, std::chrono::steady_clock::time_point taken_at);
  // Moves entries from the front of `other` to the end of this one, until this one holds `size_max`
  // of them or kMaxBatchBytes.
  void TakeFrom(DeliveryBatch& other, std::size_t size_max);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // Of content, all entries together.
  std::size_t bytes() const { return bytes_; }
  void Clear();

  struct Entry {
    EntryKey key;
    std::chrono::steady_clock::time_point taken_at;
    std::size_t bytes = 0;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  v1::DeliverMessagesRequest& request() { return request_; }
  v1::DeliverMessagesResponse& response() { return response_; }

  // A new context for the next call; valid until the one after it, or Clear.
  grpc::ClientContext& NewContext(std::chrono::milliseconds budget);
  // Ends a running call. Thread-safe against the call, not against NewContext.
  void Cancel();
  std::chrono::steady_clock::time_point sent_at() const { return sent_at_; }

 private:
  v1::Delivery& AddDelivery();

  v1::DeliverMessagesRequest request_;
  // Used before, with their memory: Clear of the request would free each envelope.
  std::vector<std::unique_ptr<v1::Delivery>> spare_;
  v1::DeliverMessagesResponse response_;
  std::vector<Entry> entries_;
  std::size_t bytes_ = 0;
  std::unique_ptr<grpc::ClientContext> context_;
  std::chrono::steady_clock::time_point sent_at_;
};

}  // namespace postern::worker
