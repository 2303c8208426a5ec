#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"

namespace postern::identity {

// Slows failed logins down, on all servers together: for one account from one address, for one
// address, and for one account from addresses that it was never let in from. After some failures
// each further one doubles the time until the next attempt counts, up to a minute; after a quarter
// of an hour without any all is forgotten. Nobody is locked out, and who logged in from an address
// before is not slowed there by what others do elsewhere.
class LoginThrottle {
 public:
  // Who tries.
  struct Attempt {
    std::string email;    // Lower case, of somebody or nobody.
    std::string address;  // May be empty.
    bool known_address = false;
  };

  // Counts the attempt as failed before it is looked at, so that attempts at the same moment count
  // too. 0 when it may go on; else how many seconds are left to wait, and nothing was counted.
  static absl::StatusOr<std::int64_t> Begin(db::Connection& connection, const Attempt& attempt,
                                            std::int64_t now_us);
  // The attempt was let in: takes back what it counted, in the caller's transaction.
  static absl::Status Succeeded(db::Connection& connection, const Attempt& attempt);
};

}  // namespace postern::identity
