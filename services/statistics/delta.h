#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"

namespace postern::statistics {

struct BucketCounts {
  std::int64_t accepted = 0;
  std::int64_t delivered = 0;
  std::int64_t dead = 0;
  std::int64_t failed_attempts = 0;

  void Add(const BucketCounts& other) {
    accepted += other.accepted;
    delivered += other.delivered;
    dead += other.dead;
    failed_attempts += other.failed_attempts;
  }
};

// What transactions did. As text a line each: `<minute> <client> <accepted> <delivered> <dead>
// <failed attempts>`, and `~ <minute> <LatencyStep> <deliveries>`; minutes since the Unix epoch.
struct Delta {
  std::map<std::pair<std::int64_t, std::string>, BucketCounts> counts;  // Minute, client.
  std::map<std::pair<std::int64_t, int>, std::int64_t> latencies;       // Minute, step.

  // DataLoss when it is not such a text.
  absl::Status AddText(std::string_view text);
};

// Lines of the text.
void AppendCounts(std::string& text, std::int64_t minute, std::string_view client_id,
                  const BucketCounts& counts);
void AppendLatency(std::string& text, std::int64_t minute, int step, std::int64_t deliveries);

// Puts a delta's text into the journal, in the transaction that `connection` has open: it becomes
// visible with what it counts, or not at all.
absl::Status AppendJournal(db::Connection& connection, std::string_view text);

}  // namespace postern::statistics
