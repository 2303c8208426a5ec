#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "services/common/db/connection.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/row_writer.h"
#include "services/messages/tally.h"
#include "services/messages/write_items.h"

namespace postern::messages {

// A registration and what became of it.
struct RegistrationWrite {
  RegistrationItem item;
  Outcome outcome;
};

// A delivery and what became of it.
struct DeliveryWrite {
  DeliveryItem item;
  // The registration of the same message when it is in hand, too: the two become one row.
  RegistrationWrite* registration = nullptr;
  Outcome outcome;
};

// A failed attempt and what became of it.
struct AttemptWrite {
  AttemptItem item;
  Outcome outcome;
};

// What is written together.
struct WriteSet {
  std::vector<DeliveryWrite*> deliveries;
  std::vector<RegistrationWrite*> registrations;
  std::vector<AttemptWrite*> attempts;

  std::size_t size() const { return deliveries.size() + registrations.size() + attempts.size(); }
};

// Writes sets in one transaction each. Not thread-safe.
class WriteTransaction {
 public:
  // `server` names this server's row in the ledger. `reader` reads the numbers of registrations.
  // `attempts_max`: as for RowWriter. `tally_sink`: keeps what each transaction did; may be null.
  WriteTransaction(std::string server, std::unique_ptr<EnvelopeReader> reader,
                   std::int64_t attempts_max, TallySink tally_sink);

  // Writes and commits; then every outcome is set. A deadlock is tried again. When the data of some
  // item is refused, the set is halved until that item stands alone: a delivery then becomes a dead
  // letter, a registration is rejected, and the rest is written. Another error: nothing is promised
  // about any item; writing them again later is safe.
  absl::Status Write(db::Connection& connection, const WriteSet& set);

 private:
  struct Plan;

  absl::Status WriteOrHalve(db::Connection& connection, const WriteSet& set);
  absl::Status Bury(db::Connection& connection, const WriteSet& single);
  absl::Status WithRetries(db::Connection& connection, const WriteSet& set);
  absl::Status InTransaction(db::Connection& connection, const WriteSet& set);
  absl::Status Look(db::Connection& connection, const WriteSet& set, Plan& plan);
  void PlanDelivery(DeliveryWrite& write, Plan& plan);
  void PlanDead(DeliveryWrite& write, Plan& plan);
  void PlanRegistration(RegistrationWrite& write, Plan& plan);
  void PlanAttempt(AttemptWrite& write, Plan& plan) const;
  absl::Status Run(db::Connection& connection, Plan& plan);
  absl::Status TallyDelivered(db::Connection& connection, Plan& plan, std::int64_t inserted);
  absl::Status TallyRegistered(db::Connection& connection, Plan& plan, std::int64_t inserted);
  absl::Status SettleAttempts(db::Connection& connection, const WriteSet& set, Plan& plan);

  const std::string server_;
  const std::unique_ptr<EnvelopeReader> reader_;
  const std::int64_t attempts_max_;
  const TallySink tally_sink_;
  RowWriter rows_;
};

}  // namespace postern::messages
