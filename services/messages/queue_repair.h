#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/messages/queue_client.h"
#include "services/messages/tally.h"

namespace postern::messages {

// What looking after the queue came to.
struct RepairResult {
  std::int64_t looked_at = 0;    // Rows of `pending`.
  std::int64_t requeued = 0;     // Messages whose entry was not there.
  std::int64_t removed = 0;      // Rows whose message was delivered.
  std::int64_t quarantined = 0;  // Rows whose envelope cannot be this message's: dead now.

  void Add(const RepairResult& other);
};

// Compares rows of `pending` with the queue, a page at a time by id: what is delivered already is
// removed; what has its entry in the queue is left alone; for the others a new entry is made from
// the row, and the row remembers its id. The row's entry id is compared and set together with the
// lease's token: who lost either removes the entry that it added. So an entry that was lost is put
// back once, however often and by how many servers the row is looked at.
//
// Thread-safe as far as its queue client is.
class QueueRepair {
 public:
  // What a page came to and how to go on.
  struct Page {
    RepairResult result;
    Uuid last;         // Of the ids looked at.
    bool end = false;  // There was none after `after`.
  };
  // Who may write: the holder of this lease, as long as its token is this one.
  struct Fence {
    std::string lease;
    std::int64_t token = 0;
  };

  // `grace`: rows registered within it are left alone; their entry may be on its way. `tally_sink`:
  // keeps how many rows became dead; may be null.
  QueueRepair(QueueClient& queue, std::chrono::milliseconds grace, TallySink tally_sink)
      : queue_(queue), grace_(grace), tally_sink_(std::move(tally_sink)) {}

  // One page behind `after`. Says what it would do and changes nothing.
  absl::StatusOr<Page> Look(db::Connection& connection, const Uuid& after) const;
  // The same, and does it. After an error what was not done is done by the next look.
  absl::StatusOr<Page> Heal(db::Connection& connection, const Uuid& after,
                            const Fence& fence) const;

 private:
  struct PendingEntry {
    Uuid id;
    std::uint32_t shard = 0;
    std::string entry_id;
  };
  struct Requeued {
    const PendingEntry* pending = nullptr;
    std::string entry_id;
  };
  struct Altered {
    const PendingEntry* pending = nullptr;
    std::string client_id;
  };
  struct Contents {
    std::vector<Requeued> good;  // With their commands in `wire`.
    std::string wire;
    std::vector<Altered> bad;
  };

  absl::StatusOr<std::vector<PendingEntry>> NextPage(db::Connection& connection,
                                                     const Uuid& after) const;
  static absl::StatusOr<std::vector<Uuid>> TakeDelivered(db::Connection& connection,
                                                         std::vector<PendingEntry>& page);
  static absl::Status RemoveRows(db::Connection& connection, const std::vector<Uuid>& ids);
  absl::StatusOr<std::vector<PendingEntry>> Missing(std::vector<PendingEntry> page) const;
  absl::Status Requeue(db::Connection& connection, const std::vector<PendingEntry>& missing,
                       const Fence& fence, RepairResult& result) const;
  static absl::StatusOr<Contents> ReadContents(db::Connection& connection,
                                               const std::vector<PendingEntry>& missing);
  absl::StatusOr<std::vector<Requeued>> AddEntries(Contents contents) const;
  static absl::StatusOr<std::vector<const Requeued*>> RememberEntries(
      db::Connection& connection, const std::vector<Requeued>& added, const Fence& fence);
  absl::Status RemoveEntries(const std::vector<const Requeued*>& extra) const;
  absl::Status Quarantine(db::Connection& connection, const std::vector<Altered>& bad,
                          const Fence& fence, RepairResult& result) const;
  // In the open transaction: how many were made dead.
  absl::StatusOr<std::int64_t> MakeDead(db::Connection& connection, const std::vector<Altered>& bad,
                                        const Fence& fence) const;

  QueueClient& queue_;
  const std::chrono::milliseconds grace_;
  const TallySink tally_sink_;
};

}  // namespace postern::messages
