#pragma once

#include <algorithm>
#include <chrono>

#include "services/messages/limits.h"

namespace postern::messages {

// How long the ledger waits between samples: the interval, or so long that sampling takes only its
// share of the time. One slow sample alone slows nothing: a database that hung for seconds would
// otherwise leave the books unread for minutes. Not thread-safe.
class LedgerPace {
 public:
  using Milliseconds = std::chrono::milliseconds;

  explicit LedgerPace(Milliseconds interval) : interval_(interval) {}

  // The pause after a sample that took so long.
  Milliseconds AfterSample(Milliseconds took) {
    const Milliseconds work = std::min(took, last_took_);
    last_took_ = took;
    return std::max(interval_, work * kLedgerPausePerWork);
  }
  // The pause after one that could not be taken: it says nothing about the work of one.
  Milliseconds AfterFailure(Milliseconds took) const { return std::max(interval_, took); }

 private:
  const Milliseconds interval_;
  Milliseconds last_took_{0};
};

}  // namespace postern::messages
