#include "services/messages/write_transaction.h"

#include <algorithm>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"

namespace postern::messages {
namespace {

// The queue had it on disk no earlier than its entry's time; the time of the edge's acknowledgement
// came with the registration.
std::int64_t DurableTime(const v1::Envelope& envelope, const v1::QueuePosition& position) {
  return std::max(EntryTimeMicros(position.entry_id()), envelope.accepted_at_us());
}

// What a dead letter can keep of text that nobody vouches for.
std::string_view SafeText(std::string_view text, std::size_t max) {
  return IsVisibleAscii(text, max) ? text : std::string_view();
}

WriteSet Half(const WriteSet& set, bool first) {
  const auto part = [first](const auto& all) {
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    using Items = std::decay_t<decltype(all)>;
    return first ? Items(all.begin(), middle) : Items(middle, all.end());
  };
  // One item of each kind would stay together for ever: halve by kind first.
  if (set.deliveries.size() <= 1 && set.registrations.size() <= 1 && set.attempts.size() <= 1) {
    WriteSet only;
    if (!set.deliveries.empty()) {
      if (first) {
        only.deliveries = set.deliveries;
      } else {
        only.registrations = set.registrations;
        only.attempts = set.attempts;
      }
    } else if (first) {
      only.registrations = set.registrations;
    } else {
      only.attempts = set.attempts;
    }
    return only;
  }
  return {part(set.deliveries), part(set.registrations), part(set.attempts)};
}

}  // namespace

// The rows of one transaction, once it is known what the database holds.
struct WriteTransaction::Plan {
  absl::flat_hash_map<Uuid, PendingFacts> pending;
  absl::flat_hash_set<Uuid> delivered;                // Of those that were looked up.
  absl::flat_hash_map<Uuid, PendingFacts> attempted;  // Rows that attempts are about, as before.
  std::int64_t now_us = 0;
  Tally tally;

  std::vector<DeliveredRow> insert_delivered;
  std::vector<const Uuid*> delete_pending;
  std::vector<PendingRow> registrations;
  std::vector<PendingRow> attempts;
  std::vector<PendingRow> dead;
};

WriteTransaction::WriteTransaction(std::string server, std::unique_ptr<EnvelopeReader> reader,
                                   std::int64_t attempts_max, TallySink tally_sink)
    : server_(std::move(server)),
      reader_(std::move(reader)),
      attempts_max_(attempts_max),
      tally_sink_(std::move(tally_sink)),
      rows_(attempts_max) {}

absl::Status WriteTransaction::Write(db::Connection& connection, const WriteSet& set) {
  return WriteOrHalve(connection, set);
}

absl::Status WriteTransaction::WriteOrHalve(db::Connection& connection, const WriteSet& set) {
  absl::Status status = WithRetries(connection, set);
  if (!absl::IsInvalidArgument(status)) return status;
  if (set.size() <= 1) return Bury(connection, set);
  status = WriteOrHalve(connection, Half(set, true));
  if (!status.ok()) return status;
  return WriteOrHalve(connection, Half(set, false));
}

// The one item whose data the database refuses.
absl::Status WriteTransaction::Bury(db::Connection& connection, const WriteSet& single) {
  if (single.size() == 0) return absl::InternalError("an empty transaction was refused");
  if (!single.registrations.empty()) {
    RegistrationWrite& write = *single.registrations.front();
    log::Warn("registration_not_storable", "id", write.item.id.ToString());
    write.outcome = {Outcome::Kind::kRejected, kNotStorable};
    return absl::OkStatus();
  }
  if (!single.attempts.empty()) {
    log::Warn("attempt_not_storable", "id", single.attempts.front()->item.id.ToString());
    return absl::OkStatus();
  }
  DeliveryWrite& write = *single.deliveries.front();
  log::Error("message_not_storable", "id", write.item.id.ToString());
  if (!write.item.dead_reason.empty()) return absl::InternalError("a dead letter was refused");
  write.item.dead_reason = kNotStorable;
  const absl::Status status = WithRetries(connection, single);
  return absl::IsInvalidArgument(status) ? absl::InternalError("a dead letter was refused")
                                         : status;
}

absl::Status WriteTransaction::WithRetries(db::Connection& connection, const WriteSet& set) {
  absl::Status status;
  for (int attempt = 0; attempt < kTransactionAttempts; ++attempt) {
    status = InTransaction(connection, set);
    if (status.ok()) return status;
    connection.Rollback();
    if (!absl::IsAborted(status)) return status;
  }
  return status;
}

absl::Status WriteTransaction::InTransaction(db::Connection& connection, const WriteSet& set) {
  absl::Status status = connection.Begin();
  if (!status.ok()) return status;
  Plan plan;
  status = Look(connection, set, plan);
  if (!status.ok()) return status;
  plan.now_us = NowMicros();
  plan.insert_delivered.reserve(set.deliveries.size());
  for (DeliveryWrite* write : set.deliveries) {
    if (write->item.dead_reason.empty()) {
      PlanDelivery(*write, plan);
    } else {
      PlanDead(*write, plan);
    }
  }
  if (set.size() > set.deliveries.size()) {
    for (const DeliveredRow& row : plan.insert_delivered) plan.delivered.insert(*row.id);
  }
  for (RegistrationWrite* write : set.registrations) PlanRegistration(*write, plan);
  for (AttemptWrite* write : set.attempts) PlanAttempt(*write, plan);
  status = Run(connection, plan);
  if (status.ok()) status = SettleAttempts(connection, set, plan);
  if (status.ok() && tally_sink_ && !plan.tally.empty()) {
    status = tally_sink_(connection, plan.tally);
  }
  if (!status.ok()) return status;
  return connection.Commit();
}

// Reads what the plan depends on. What goes to `messages` needs only its row of `pending`; what
// goes to `pending` must not be in `messages`.
absl::Status WriteTransaction::Look(db::Connection& connection, const WriteSet& set, Plan& plan) {
  std::vector<const Uuid*> moving;
  std::vector<const Uuid*> staying;
  for (const DeliveryWrite* write : set.deliveries) {
    moving.push_back(&write->item.id);
    if (!write->item.dead_reason.empty()) staying.push_back(&write->item.id);
  }
  for (const RegistrationWrite* write : set.registrations) staying.push_back(&write->item.id);
  for (const AttemptWrite* write : set.attempts) staying.push_back(&write->item.id);

  auto pending = rows_.LockPending(connection, moving);
  if (!pending.ok()) return pending.status();
  plan.pending = *std::move(pending);
  auto delivered = rows_.FindDelivered(connection, staying);
  if (!delivered.ok()) return delivered.status();
  plan.delivered = *std::move(delivered);
  std::vector<const Uuid*> attempted;
  for (const AttemptWrite* write : set.attempts) attempted.push_back(&write->item.id);
  auto before = rows_.LockPending(connection, attempted);
  if (!before.ok()) return before.status();
  plan.attempted = *std::move(before);
  return absl::OkStatus();
}

void WriteTransaction::PlanDelivery(DeliveryWrite& write, Plan& plan) {
  DeliveredRow row;
  row.id = &write.item.id;
  row.envelope = &write.item.delivery->envelope();
  row.number = &write.item.number;
  row.delivered_at_us = plan.now_us;
  row.epoch = EpochOf(*row.envelope);
  const auto known = plan.pending.find(write.item.id);
  if (known != plan.pending.end()) {
    const PendingFacts& facts = known->second;
    if (facts.state == RowState::kDead && EpochOf(*row.envelope) <= facts.epoch) {
      write.outcome = {Outcome::Kind::kDead, facts.reason};
      return;
    }
    row.epoch = std::max(facts.epoch, EpochOf(*row.envelope));
    row.attempts = facts.attempts + 1;
    row.reason = facts.reason;
    row.registered_at_us = facts.registered_at_us;
    row.durable_at_us = facts.durable_at_us;
    plan.delete_pending.push_back(&write.item.id);
  } else if (write.registration != nullptr) {
    row.registered_at_us = write.registration->item.registered_at_us;
    row.durable_at_us = write.registration->item.registration->durable_at_us();
  } else {
    row.registered_at_us = plan.now_us;
    row.durable_at_us = DurableTime(*row.envelope, write.item.delivery->position());
  }
  write.outcome = {};
  plan.insert_delivered.push_back(row);
}

void WriteTransaction::PlanDead(DeliveryWrite& write, Plan& plan) {
  if (plan.delivered.contains(write.item.id)) {
    write.outcome = {};
    return;
  }
  const v1::Delivery& delivery = *write.item.delivery;
  const v1::Envelope& envelope = delivery.envelope();
  const auto known = plan.pending.find(write.item.id);
  PendingRow row;
  row.id = &write.item.id;
  row.client_id = SafeText(envelope.client_id(), kClientIdMax);
  if (row.client_id.empty()) row.client_id = "unknown";
  row.domain = SafeText(envelope.domain(), kDomainMax);
  row.client_ref = SafeText(envelope.client_ref(), kClientRefMax);
  row.number = write.item.number;
  row.state = RowState::kDead;
  row.epoch = EpochOf(envelope);
  row.attempts = 1;
  row.reason = write.item.dead_reason;
  row.last_attempt_at_us = plan.now_us;
  row.accepted_at_us = std::max<std::int64_t>(envelope.accepted_at_us(), 0);
  row.durable_at_us = EntryTimeMicros(delivery.position().entry_id());
  row.registered_at_us = plan.now_us;
  if (write.registration != nullptr) {
    row.registered_at_us = write.registration->item.registered_at_us;
    row.durable_at_us = write.registration->item.registration->durable_at_us();
  }
  if (IsWellFormed(delivery.position())) {
    row.shard = delivery.position().shard();
    row.entry_id = delivery.position().entry_id();
  }
  row.envelope = delivery.unreadable_entry().empty() ? envelope.SerializeAsString()
                                                     : delivery.unreadable_entry();
  write.outcome = {Outcome::Kind::kDead, write.item.dead_reason};
  if (known == plan.pending.end()) plan.tally.Accepted(row.client_id, row.accepted_at_us);
  if (known == plan.pending.end() || known->second.state != RowState::kDead) {
    plan.tally.Dead(row.client_id, plan.now_us);
  }
  plan.dead.push_back(std::move(row));
}

void WriteTransaction::PlanRegistration(RegistrationWrite& write, Plan& plan) {
  write.outcome = {};
  if (plan.delivered.contains(write.item.id)) return;
  const v1::Registration& registration = *write.item.registration;
  const v1::Envelope& envelope = registration.envelope();
  PendingRow row;
  row.id = &write.item.id;
  row.client_id = envelope.client_id();
  row.domain = envelope.domain();
  row.client_ref = envelope.client_ref();
  // A number that cannot be read now is not searchable until the delivery, which decides about the
  // message.
  absl::StatusOr<NumberFacts> number = reader_->ReadNumber(envelope);
  if (number.ok()) row.number = *std::move(number);
  row.state = RowState::kQueued;
  row.epoch = EpochOf(envelope);
  row.accepted_at_us = envelope.accepted_at_us();
  row.durable_at_us = registration.durable_at_us();
  row.registered_at_us = write.item.registered_at_us;
  row.shard = registration.position().shard();
  row.entry_id = registration.position().entry_id();
  row.envelope = envelope.SerializeAsString();
  plan.registrations.push_back(std::move(row));
}

void WriteTransaction::PlanAttempt(AttemptWrite& write, Plan& plan) const {
  write.outcome = {};
  if (plan.delivered.contains(write.item.id)) return;
  const v1::FailedAttempt& attempt = *write.item.attempt;
  const v1::Envelope& envelope = attempt.envelope();
  PendingRow row;
  row.id = &write.item.id;
  row.client_id = envelope.client_id();
  row.domain = envelope.domain();
  row.client_ref = envelope.client_ref();
  row.state = RowState::kRetrying;
  row.epoch = EpochOf(envelope);
  row.attempts = 1;
  row.reason = attempt.reason();
  row.last_error = attempt.reason();
  row.last_attempt_at_us = attempt.attempted_at_us();
  row.next_attempt_at_us = attempt.next_attempt_at_us();
  row.accepted_at_us = envelope.accepted_at_us();
  row.durable_at_us = DurableTime(envelope, attempt.position());
  row.registered_at_us = plan.now_us;
  // A row that is there counts for itself.
  if (attempts_max_ == 1) {
    row.state = RowState::kDead;
    row.reason = kAttemptsExhausted;
    row.next_attempt_at_us = 0;
  }
  row.shard = attempt.position().shard();
  row.entry_id = attempt.position().entry_id();
  row.envelope = envelope.SerializeAsString();
  plan.attempts.push_back(std::move(row));
}

// Tells which entries the worker has to remove: their message is dead, of this attempt or of an
// earlier one, or was brought back since.
absl::Status WriteTransaction::SettleAttempts(db::Connection& connection, const WriteSet& set,
                                              Plan& plan) {
  if (set.attempts.empty()) return absl::OkStatus();
  std::vector<const Uuid*> ids;
  for (const AttemptWrite* write : set.attempts) ids.push_back(&write->item.id);
  const auto rows = rows_.LockPending(connection, ids);
  if (!rows.ok()) return rows.status();
  for (AttemptWrite* write : set.attempts) {
    const auto row = rows->find(write->item.id);
    if (row == rows->end()) continue;
    const PendingFacts& facts = row->second;
    const std::string_view client_id = write->item.attempt->envelope().client_id();
    const auto before = plan.attempted.find(write->item.id);
    const bool is_new = before == plan.attempted.end();
    if (is_new) {
      plan.tally.Accepted(client_id, write->item.attempt->envelope().accepted_at_us());
    }
    if (is_new || facts.attempts > before->second.attempts) {
      plan.tally.FailedAttempt(client_id, plan.now_us);
    }
    if (facts.state == RowState::kDead && (is_new || before->second.state != RowState::kDead)) {
      plan.tally.Dead(client_id, plan.now_us);
    }
    // What a second report of the same message finds.
    plan.attempted[write->item.id] = facts;
    if (facts.state == RowState::kDead || facts.epoch > EpochOf(write->item.attempt->envelope())) {
      write->outcome = {Outcome::Kind::kDead, facts.reason};
    }
  }
  return absl::OkStatus();
}

absl::Status WriteTransaction::Run(db::Connection& connection, Plan& plan) {
  absl::StatusOr<std::int64_t> inserted = rows_.InsertDelivered(connection, plan.insert_delivered);
  if (!inserted.ok()) return inserted.status();
  absl::Status status = TallyDelivered(connection, plan, *inserted);
  if (status.ok()) status = rows_.DeletePending(connection, plan.delete_pending);
  if (!status.ok()) return status;
  const absl::StatusOr<std::int64_t> registered =
      rows_.UpsertPending(connection, plan.registrations, OnPendingRow::kKeep);
  if (!registered.ok()) return registered.status();
  status = TallyRegistered(connection, plan, *registered);
  if (!status.ok()) return status;
  status = rows_.UpsertPending(connection, plan.attempts, OnPendingRow::kAttempt).status();
  if (!status.ok()) return status;
  status = rows_.UpsertPending(connection, plan.dead, OnPendingRow::kBury).status();
  if (!status.ok()) return status;
  return *inserted > 0 ? rows_.CountDelivered(connection, server_, *inserted) : absl::OkStatus();
}

// A repeated delivery adds no row: only then it has to be asked which rows are of this transaction.
absl::Status WriteTransaction::TallyDelivered(db::Connection& connection, Plan& plan,
                                              std::int64_t inserted) {
  absl::flat_hash_set<Uuid> old;
  const bool repeated = inserted != static_cast<std::int64_t>(plan.insert_delivered.size());
  if (repeated) {
    std::vector<const Uuid*> ids;
    for (const DeliveredRow& row : plan.insert_delivered) ids.push_back(row.id);
    auto found = rows_.FindDeliveredBefore(connection, ids, plan.now_us);
    if (!found.ok()) return found.status();
    old = *std::move(found);
  }
  for (const DeliveredRow& row : plan.insert_delivered) {
    // Twice in one batch counts once.
    if (repeated && !old.insert(*row.id).second) continue;
    const std::string_view client_id = row.envelope->client_id();
    if (!plan.pending.contains(*row.id)) {
      plan.tally.Accepted(client_id, row.envelope->accepted_at_us());
    }
    plan.tally.Delivered(client_id, row.envelope->accepted_at_us(), plan.now_us);
  }
  return absl::OkStatus();
}

// Likewise: a repeated registration changes nothing.
absl::Status WriteTransaction::TallyRegistered(db::Connection& connection, Plan& plan,
                                               std::int64_t inserted) {
  if (inserted == 0) return absl::OkStatus();
  absl::flat_hash_map<Uuid, PendingFacts> now;
  const bool all_new = inserted == static_cast<std::int64_t>(plan.registrations.size());
  if (!all_new) {
    std::vector<const Uuid*> ids;
    for (const PendingRow& row : plan.registrations) ids.push_back(row.id);
    auto found = rows_.LockPending(connection, ids);
    if (!found.ok()) return found.status();
    now = *std::move(found);
  }
  for (const PendingRow& row : plan.registrations) {
    if (!all_new && now[*row.id].registered_at_us != row.registered_at_us) continue;
    plan.tally.Accepted(row.client_id, row.accepted_at_us);
  }
  return absl::OkStatus();
}

}  // namespace postern::messages
