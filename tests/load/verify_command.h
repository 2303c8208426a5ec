#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tests/load/comparison.h"

namespace postern::load {

// What the register holds of a run, by SQL. Messages accepted before the run are left out by their
// ids.
struct StoredCounts {
  std::int64_t messages = 0;
  std::int64_t pending = 0;
  std::int64_t in_both =
      0;  // A pending row that came after the delivery; the reconciler removes it.
  std::int64_t Distinct() const { return messages + pending - in_both; }
};

// The comparison of one ledger with the register.
struct Verification {
  Verdict verdict;
  std::int64_t listed = 0;  // Messages that the main server listed.
  StoredCounts stored;
  // Rows that the listing left out or invented.
  std::int64_t Unlisted() const { return stored.Distinct() - listed; }
  bool Faulty() const { return verdict.Faulty() || Unlisted() != 0; }
};

// Compares a ledger with the register: every message of the run's time, listed decrypted by the
// main server, and the counts by SQL. For a system at rest. `ctl_config`: a configuration of
// posternctl.
absl::StatusOr<Verification> Verify(const std::string& ledger, const std::string& ctl_config,
                                    bool any_time);

// The verification as one JSON object, without a line break.
std::string VerificationJson(const Verification& verification);

// Verifies and prints one JSON line. Gives the exit code: 1 for any fault, when nothing was
// acknowledged, and when the comparison was not possible (then the reason is on stderr and no JSON
// is printed).
int RunVerify(const std::string& ledger, const std::string& ctl_config, bool any_time);

}  // namespace postern::load
