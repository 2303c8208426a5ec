#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/common/base/time.h"
#include "services/common/db/connection.h"
#include "services/common/metrics/metrics.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/limits.h"
#include "services/messages/tally.h"
#include "services/messages/write_items.h"

namespace postern::messages {

// Combines the writes of all calls: one thread with one database connection writes what has
// gathered in one transaction. In a quiet moment the first batch goes at once; after it commits are
// spaced. A registration is held back for a while: when the delivery of the same message comes
// meanwhile, the two become one row.
//
// Construct after the keys' domain, before the gRPC services. Stop after the gRPC server has ended
// its calls (they wait for the writer) and before the keys' domain goes. Thread-safe.
class MessageWriter {
 public:
  struct Settings {
    db::Settings database;
    std::string server_name;  // Of this server's row in the ledger: 1 to 64 characters, its own.
    std::chrono::milliseconds commit_interval{40};
    std::chrono::milliseconds registration_hold{1000};
    std::size_t messages_max = kWriterMessagesMax;
    std::int64_t attempts_max = 0;  // Failed attempts that make a message dead; 0: none does.
    TallySink tally_sink;           // Keeps what each transaction did; may be null.
  };

  // Called once for each batch that was taken, on the writer's thread: must be short. OK:
  // everything is on disk, with one outcome for each item, in their order. Unavailable or
  // DeadlineExceeded: nothing is promised; writing the batch again is safe.
  using Done = std::function<void(absl::Status, std::vector<Outcome>)>;

  MessageWriter(Settings settings, const EnvelopeReaderFactory& readers,
                metrics::Registry& metrics);
  ~MessageWriter();

  // False when there is too much in hand already or after Stop: nothing of the batch was taken and
  // `done` is not called. What the items point to must stay until `done` is called. A batch whose
  // deadline has passed is not begun.
  [[nodiscard]] bool TryRegister(std::vector<RegistrationItem> items, Deadline deadline, Done done);
  [[nodiscard]] bool TryDeliver(std::vector<DeliveryItem> items, Deadline deadline, Done done);
  [[nodiscard]] bool TryRecordAttempts(std::vector<AttemptItem> items, Deadline deadline,
                                       Done done);

  // Writes what is in hand, without holding, and ends the thread. Idempotent.
  void Stop();
  // Whether the last use of the database worked.
  bool healthy() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::messages
