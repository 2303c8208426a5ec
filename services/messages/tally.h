#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/common/base/latency_steps.h"
#include "services/common/db/connection.h"

namespace postern::messages {

// What one transaction did to messages, by client and minute. Views into the transaction's items.
class Tally {
 public:
  struct Counts {
    std::int64_t accepted = 0;
    std::int64_t delivered = 0;
    std::int64_t dead = 0;
    std::int64_t failed_attempts = 0;
  };
  using Key = std::pair<std::int64_t, std::string_view>;  // Minutes since the Unix epoch, client.

  // A message that the register did not know.
  void Accepted(std::string_view client_id, std::int64_t at_us) { At(client_id, at_us).accepted++; }
  void Delivered(std::string_view client_id, std::int64_t accepted_at_us, std::int64_t at_us) {
    At(client_id, at_us).delivered++;
    ++latencies_[{at_us / kMinuteUs, LatencyStep(at_us - accepted_at_us)}];
  }
  void Dead(std::string_view client_id, std::int64_t at_us) { At(client_id, at_us).dead++; }
  void FailedAttempt(std::string_view client_id, std::int64_t at_us) {
    At(client_id, at_us).failed_attempts++;
  }

  bool empty() const { return counts_.empty(); }
  const absl::flat_hash_map<Key, Counts>& counts() const { return counts_; }
  // Minute of the delivery and LatencyStep of what it took, to how many.
  const absl::flat_hash_map<std::pair<std::int64_t, int>, std::int64_t>& latencies() const {
    return latencies_;
  }

 private:
  static constexpr std::int64_t kMinuteUs = 60'000'000;
  Counts& At(std::string_view client_id, std::int64_t at_us) {
    return counts_[{at_us / kMinuteUs, client_id}];
  }

  absl::flat_hash_map<Key, Counts> counts_;
  absl::flat_hash_map<std::pair<std::int64_t, int>, std::int64_t> latencies_;
};

// Keeps a tally, in the transaction that `connection` has open. This domain counts and does not
// know what for: the statistics do, the composition root joins them.
using TallySink = std::function<absl::Status(db::Connection&, const Tally&)>;

}  // namespace postern::messages
