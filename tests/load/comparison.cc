#include "tests/load/comparison.h"

#include <algorithm>
#include <cstring>

namespace postern::load {

// Nonces are random, message ids random in their second half.
std::size_t Comparison::NonceHash::operator()(const Nonce& nonce) const {
  std::size_t hash = 0;
  std::memcpy(&hash, nonce.data() + 8, sizeof(hash));
  return hash;
}

Comparison::Comparison() = default;

LedgerVisitor Comparison::Visitor() {
  LedgerVisitor visitor;
  visitor.on_client = [this](const ClientRecord& record) { AddClient(record); };
  visitor.on_attempt = [this](const AttemptRecord& record) { AddAttempt(record); };
  visitor.on_outcome = [this](const OutcomeRecord& record) { AddOutcome(record); };
  return visitor;
}

void Comparison::AddClient(const ClientRecord& record) {
  if (clients_.size() <= record.index) clients_.resize(record.index + std::size_t{1});
  clients_[record.index] = record.client_id;
}

void Comparison::AddAttempt(const AttemptRecord& record) {
  Entry entry;
  std::copy_n(record.body_sha256.begin(), entry.hash.size(), entry.hash.begin());
  entry.client = record.client;
  entries_.emplace(record.nonce, entry);
  ++verdict_.attempted;
}

void Comparison::AddOutcome(const OutcomeRecord& record) {
  const auto found = entries_.find(record.nonce);
  if (found == entries_.end()) return;
  found->second.status = record.status;
  found->second.id = record.id;
}

void Comparison::AddStored(const StoredMessage& message) {
  CountState(message.state);
  if (message.readable) {
    const auto nonce = NonceOf(message.body);
    const auto found = nonce.ok() ? entries_.find(*nonce) : entries_.end();
    if (found != entries_.end()) {
      CompareWithEntry(message, found->second);
      return;
    }
  }
  if (!unmatched_.emplace(message.id, Unmatched()).second) ++verdict_.duplicated;
}

void Comparison::CountState(StoredMessage::State state) {
  switch (state) {
    case StoredMessage::State::kPending:
      ++verdict_.pending;
      return;
    case StoredMessage::State::kDelivered:
      ++verdict_.delivered;
      return;
    case StoredMessage::State::kDead:
      ++verdict_.dead;
      return;
  }
}

void Comparison::CompareWithEntry(const StoredMessage& message, Entry& entry) {
  if (entry.times_stored < 255) ++entry.times_stored;
  if (entry.times_stored > 1) ++verdict_.duplicated;
  if (entry.status == 202 && entry.id == message.id) entry.stored_as_acknowledged = true;
  const Sha256Digest digest = hasher_.Hash(message.body);
  if (!std::equal(entry.hash.begin(), entry.hash.end(), digest.begin())) ++verdict_.corrupt;
  if (entry.client >= clients_.size() || clients_[entry.client] != message.client_id) {
    ++verdict_.misattributed;
  }
}

void Comparison::Judge(Entry& entry) {
  const bool acknowledged = entry.status == 202;
  if (acknowledged) {
    ++verdict_.acknowledged;
    const auto altered = unmatched_.find(entry.id);
    if (altered != unmatched_.end() && !altered->second.claimed) {
      altered->second.claimed = true;
      entry.stored_as_acknowledged = true;
      ++verdict_.corrupt;
    }
    if (!entry.stored_as_acknowledged) ++verdict_.lost;
    return;
  }
  const bool stored = entry.times_stored > 0;
  if (entry.status == 0) {
    ++verdict_.indeterminate;
  } else {
    ++verdict_.refused;
    if (entry.status < 500) {
      if (stored) ++verdict_.phantom;
      return;
    }
  }
  if (stored) ++verdict_.recovered;
}

Verdict Comparison::Finish() {
  for (auto& [nonce, entry] : entries_) Judge(entry);
  for (const auto& [id, unmatched] : unmatched_) {
    if (!unmatched.claimed) ++verdict_.phantom;
  }
  return verdict_;
}

}  // namespace postern::load
