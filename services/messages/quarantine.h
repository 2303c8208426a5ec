#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/common/metrics/metrics.h"

namespace postern::messages {

// Who finds damaged messages.
inline constexpr char kFoundByRead[] = "read";
inline constexpr char kFoundByVerify[] = "verify";

// Remembers stored messages whose ciphertext does not open: altered, truncated, or moved from
// another message, client or field. Such a message is never shown; its row stays as it is, for
// whoever looks into what happened, and goes with its partition. Thread-safe.
class Quarantine {
 public:
  explicit Quarantine(metrics::Registry& metrics);

  // Records a message that was found, once; counts and logs it (its id only). `found_by`: one
  // of the words above. Errors are those of db::Connection: what was found is then found again.
  absl::Status Add(db::Connection& connection, const Uuid& id, const std::string& client_id,
                   std::string_view reason, std::string_view found_by);

 private:
  prometheus::Counter& found_;
};

}  // namespace postern::messages
