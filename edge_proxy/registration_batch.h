#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge_proxy/durable_message.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"

namespace postern::edge {

// Registrations that travel in one call, kept as the serialised postern.v1.RegisterMessagesRequest:
// the envelope was serialised for the queue already, and is copied here as it is. Not thread-safe.
class RegistrationBatch {
 public:
  // Bytes that `message` takes in a batch, its bookkeeping included.
  static std::size_t Cost(const DurableMessage& message);

  void Add(const DurableMessage& message, std::int64_t durable_at_us);
  // The envelope of the message, if it is in the batch.
  std::optional<v1::Envelope> Find(const Uuid& id) const;

  const std::string& wire() const { return wire_; }
  std::size_t size() const { return ids_.size(); }
  // The sum of the messages' costs.
  std::size_t cost() const { return cost_; }

 private:
  std::string wire_;
  std::vector<Uuid> ids_;
  std::vector<std::size_t> begins_;  // Where each message's Envelope begins in `wire_`.
  std::vector<std::size_t> ends_;
  Uuid lowest_;
  Uuid highest_;
  std::size_t cost_ = 0;
};

}  // namespace postern::edge
