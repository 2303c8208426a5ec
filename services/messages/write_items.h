#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "postern/v1/delivery_service.pb.h"
#include "postern/v1/registration_service.pb.h"
#include "services/common/base/uuid.h"
#include "services/messages/envelope_reader.h"

namespace postern::messages {

// States of a row in `pending`, as stored.
enum class RowState : int { kQueued = 1, kRetrying = 2, kDead = 4 };

// What became of one item once its transaction is committed.
struct Outcome {
  enum class Kind {
    kStored,    // Registered, delivered or recorded, now or from before.
    kDead,      // Recorded as dead; `reason` says why.
    kRejected,  // A registration that the register can never take.
  };
  Kind kind = Kind::kStored;
  std::string reason;
};

// A registration to write. Points into its request, which outlives the writing.
struct RegistrationItem {
  Uuid id;
  const v1::Registration* registration = nullptr;
  std::int64_t registered_at_us = 0;
};

// A delivery to write. Points into its request, which outlives the writing.
struct DeliveryItem {
  Uuid id;
  const v1::Delivery* delivery = nullptr;
  NumberFacts number;
  // Why it can never be delivered; empty: it can.
  std::string dead_reason;
};

// A failed attempt to write. Points into its request, which outlives the writing.
struct AttemptItem {
  Uuid id;
  const v1::FailedAttempt* attempt = nullptr;
};

}  // namespace postern::messages
