#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"

namespace postern::db {

// How often a transaction that met a deadlock is run.
inline constexpr int kTransactionAttempts = 3;

// Runs `steps` (giving a StatusOr) in one transaction, again after a deadlock. Nothing stays of
// steps that fail.
template <typename Steps>
auto InTransaction(Connection& connection, Steps steps) -> decltype(steps()) {
  for (int attempt = 1;; ++attempt) {
    absl::Status status = connection.Begin();
    if (status.ok()) {
      auto result = steps();
      status = result.status();
      if (status.ok()) status = connection.Commit();
      if (status.ok()) return result;
    }
    connection.Rollback();
    if (status.code() != absl::StatusCode::kAborted || attempt == kTransactionAttempts) {
      return status;
    }
  }
}

}  // namespace postern::db
