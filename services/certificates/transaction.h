#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/certificates/limits.h"
#include "services/common/db/connection.h"

namespace postern::certificates {

// Runs `steps` (giving a StatusOr) in one transaction, again after a deadlock or when a number that
// should be new is taken. Nothing stays of steps that fail.
template <typename Steps>
auto InTransaction(db::Connection& connection, Steps steps) -> decltype(steps()) {
  for (int attempt = 1;; ++attempt) {
    absl::Status status = connection.Begin();
    if (status.ok()) {
      auto result = steps();
      status = result.status();
      if (status.ok()) status = connection.Commit();
      if (status.ok()) return result;
    }
    connection.Rollback();
    const bool again = status.code() == absl::StatusCode::kAborted ||
                       status.code() == absl::StatusCode::kAlreadyExists;
    if (!again || attempt == kAttempts) return status;
  }
}

}  // namespace postern::certificates
