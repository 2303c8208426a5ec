#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "tests/load/ledger_format.h"

namespace postern::load {

// What to do with each record of a ledger, in the file's order.
struct LedgerVisitor {
  std::function<void(const ClientRecord&)> on_client;
  std::function<void(const AttemptRecord&)> on_attempt;
  std::function<void(const OutcomeRecord&)> on_outcome;
};

// Reads a ledger from start to end; returns when the run started, in microseconds since the Unix
// epoch. A record cut by the file's end is left out. DataLoss for anything else that is not a
// ledger.
absl::StatusOr<std::int64_t> ReadLedger(const std::string& path, const LedgerVisitor& visitor);

}  // namespace postern::load
