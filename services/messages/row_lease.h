#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/db/connection.h"

namespace postern::messages {

// A lease among servers, a row in the table `leases`. Times are the database's, so that servers'
// clocks need not agree. The token grows whenever the lease changes hands: a write that names it
// does nothing once somebody else holds the lease.
class RowLease {
 public:
  // `holder`: unique among processes, at most 128 characters.
  RowLease(std::string name, std::string holder, std::chrono::milliseconds duration);

  // Takes or renews the lease; the token while it is ours, nothing while another holds it.
  absl::StatusOr<std::optional<std::int64_t>> Acquire(db::Connection& connection) const;
  // Takes it at once from whoever holds it, whose token is worth nothing then; ours.
  absl::StatusOr<std::int64_t> Seize(db::Connection& connection) const;
  // Who holds it now; empty when nobody does.
  absl::StatusOr<std::string> Holder(db::Connection& connection) const;
  // Lets it go at once, so that another server need not wait for its end.
  absl::Status Release(db::Connection& connection) const;

  const std::string& name() const { return name_; }

 private:
  const std::string name_;
  const std::string holder_;
  const std::int64_t duration_us_;
};

}  // namespace postern::messages
