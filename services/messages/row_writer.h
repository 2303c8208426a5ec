#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/messages/write_items.h"

namespace postern::messages {

// What a row of `pending` says about a message that is being written.
struct PendingFacts {
  RowState state = RowState::kQueued;
  std::int64_t epoch = 1;
  std::int64_t attempts = 0;
  std::int64_t registered_at_us = 0;
  std::int64_t durable_at_us = 0;
  std::string reason;
};

// A row of `messages`. Views into the request.
struct DeliveredRow {
  const Uuid* id = nullptr;
  const v1::Envelope* envelope = nullptr;
  const NumberFacts* number = nullptr;
  std::int64_t epoch = 1;
  std::int64_t attempts = 1;
  std::string_view reason;
  std::int64_t durable_at_us = 0;
  std::int64_t registered_at_us = 0;
  std::int64_t delivered_at_us = 0;
};

// A row of `pending`. Strings own what is made for the row, views point into the request.
struct PendingRow {
  const Uuid* id = nullptr;
  std::string_view client_id;
  std::string_view domain;
  std::string_view client_ref;
  NumberFacts number;  // Empty when it could not be read.
  RowState state = RowState::kQueued;
  std::int64_t epoch = 1;
  std::int64_t attempts = 0;
  std::string_view reason;
  std::string_view last_error;
  std::int64_t last_attempt_at_us = 0;
  std::int64_t next_attempt_at_us = 0;
  std::int64_t accepted_at_us = 0;
  std::int64_t durable_at_us = 0;
  std::int64_t registered_at_us = 0;
  std::int64_t shard = 0;
  std::string_view entry_id;
  std::string envelope;
};

// What happens to a row of `pending` that is there already.
enum class OnPendingRow {
  kKeep,     // Registration: what is there knows more.
  kAttempt,  // A failed attempt: counts if it is newer than the last, and the row is not dead; the
             // last that is allowed makes it dead.
  kBury,     // Becomes dead, unless the row is of a later epoch.
};

// Multi-row statements of fixed shapes: 1, 2, 4, … 256 rows, each prepared once per connection. A
// batch is cut into the largest that fit. Not thread-safe.
class RowWriter {
 public:
  // `attempts_max`: failed attempts that make a message dead; 0: no number does.
  explicit RowWriter(std::int64_t attempts_max = 0);

  // Rows of `pending` for `ids`, locked. Ids without a row are left out.
  absl::StatusOr<absl::flat_hash_map<Uuid, PendingFacts>> LockPending(
      db::Connection& connection, const std::vector<const Uuid*>& ids);
  // Those of `ids` that are delivered.
  absl::StatusOr<absl::flat_hash_set<Uuid>> FindDelivered(db::Connection& connection,
                                                          const std::vector<const Uuid*>& ids);
  // Those of `ids` that were delivered by a transaction before the one of `now_us`.
  absl::StatusOr<absl::flat_hash_set<Uuid>> FindDeliveredBefore(db::Connection& connection,
                                                                const std::vector<const Uuid*>& ids,
                                                                std::int64_t now_us);
  // How many were new.
  absl::StatusOr<std::int64_t> InsertDelivered(db::Connection& connection,
                                               const std::vector<DeliveredRow>& rows);
  // Rows added, and twice those changed.
  absl::StatusOr<std::int64_t> UpsertPending(db::Connection& connection,
                                             const std::vector<PendingRow>& rows,
                                             OnPendingRow on_row);
  absl::Status DeletePending(db::Connection& connection, const std::vector<const Uuid*>& ids);
  // Raises the server's count of delivered messages.
  absl::Status CountDelivered(db::Connection& connection, std::string_view server,
                              std::int64_t delivered);

 private:
  // One text for each shape.
  using Shapes = std::vector<std::string>;

  absl::StatusOr<bool> AnyPendingInRange(db::Connection& connection,
                                         const std::vector<const Uuid*>& ids);
  absl::StatusOr<absl::flat_hash_set<Uuid>> FindIds(db::Connection& connection,
                                                    const Shapes& shapes,
                                                    const std::vector<const Uuid*>& ids,
                                                    const std::vector<db::Value>& after_ids);
  template <typename Bind>
  absl::StatusOr<std::int64_t> Run(db::Connection& connection, const Shapes& shapes,
                                   std::size_t rows, const Bind& bind);

  Shapes insert_delivered_;
  Shapes delete_pending_;
  Shapes lock_pending_;
  Shapes find_delivered_;
  Shapes find_delivered_before_;
  std::vector<Shapes> upsert_pending_;
  std::vector<db::Value> values_;
  bool expect_pending_ = false;
};

}  // namespace postern::messages
