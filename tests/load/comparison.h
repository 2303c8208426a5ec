#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "tests/load/ledger_format.h"
#include "tests/load/ledger_reader.h"

namespace postern::load {

// A message as the register shows it.
struct StoredMessage {
  enum class State { kPending, kDelivered, kDead };
  MessageId id{};
  std::string client_id;
  std::string body;      // Empty when it did not open.
  bool readable = true;  // False: the ciphertext did not open.
  State state = State::kPending;
};

// What the comparison found. A fault is anything that must never be.
struct Verdict {
  std::int64_t attempted = 0;
  std::int64_t acknowledged = 0;
  std::int64_t refused = 0;        // Answered with another status than 202.
  std::int64_t indeterminate = 0;  // No answer.
  std::int64_t recovered = 0;  // Stored, and neither acknowledged nor refused for good: allowed.
  std::int64_t delivered = 0;
  std::int64_t pending = 0;
  std::int64_t dead = 0;
  // Faults.
  std::int64_t lost = 0;           // Acknowledged and not stored under the acknowledged id.
  std::int64_t duplicated = 0;     // Stored more than once: a nonce under two ids, or an id twice.
  std::int64_t phantom = 0;        // Stored and never attempted, or refused with 4xx.
  std::int64_t corrupt = 0;        // The stored body is not the one sent, or does not open.
  std::int64_t misattributed = 0;  // Stored for another client than the one that sent it.

  bool Faulty() const { return lost + duplicated + phantom + corrupt + misattributed > 0; }
};

// Compares a ledger with what is stored. Holds about 80 bytes for each attempt. Order of use: the
// ledger's records (in the file's order), then the stored messages (in any order), then Finish
// once.
class Comparison {
 public:
  Comparison();

  // Gives the ledger's records to this object.
  LedgerVisitor Visitor();
  void AddClient(const ClientRecord& record);
  void AddAttempt(const AttemptRecord& record);
  void AddOutcome(const OutcomeRecord& record);

  void AddStored(const StoredMessage& message);
  Verdict Finish();

 private:
  struct Entry {
    std::array<std::uint8_t, 16>
        hash{};      // The first half of the SHA-256: enough to tell bodies apart.
    MessageId id{};  // As acknowledged.
    std::uint16_t client = 0;
    std::uint16_t status = 0;       // 0: no answer.
    std::uint8_t times_stored = 0;  // Stops at 255.
    bool stored_as_acknowledged = false;
  };
  struct NonceHash {
    std::size_t operator()(const Nonce& nonce) const;
  };
  // Stored, and no attempt has the nonce: a phantom, or a body so altered that only the id tells
  // which attempt it was.
  struct Unmatched {
    bool claimed = false;
  };

  void CountState(StoredMessage::State state);
  void CompareWithEntry(const StoredMessage& message, Entry& entry);
  void Judge(Entry& entry);

  std::vector<std::string> clients_;
  absl::flat_hash_map<Nonce, Entry, NonceHash> entries_;
  absl::flat_hash_map<MessageId, Unmatched, NonceHash> unmatched_;
  Hasher hasher_;
  Verdict verdict_;
};

}  // namespace postern::load
