#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/common/audit/checkpoint.h"
#include "services/common/audit/row.h"

namespace postern::audit {

// The first place where a log is not what was written.
struct Fault {
  std::int64_t first = 0;  // The first row that is broken or missing, as far as can be said.
  std::int64_t last = 0;   // The last one that belongs to it.
  std::string what;        // A sentence.
};

// Verifies a log row by row, from the first to the last, in little memory. Not thread-safe.
class ChainCheck {
 public:
  // `checkpoints` in any order, of any number of servers.
  explicit ChainCheck(std::vector<Checkpoint> checkpoints);

  // The next row by sequence. Whether everything up to it is sound; false once a fault was found.
  bool Feed(const Row& row);
  // After the last row: whether the head and the checkpoints agree that it is the last.
  bool End(const Head& head);

  const std::optional<Fault>& fault() const { return fault_; }
  std::int64_t rows() const { return previous_.sequence; }
  // How many checkpoints the rows were compared with.
  std::int64_t checkpoints_met() const { return checkpoints_met_; }

 private:
  bool Fail(std::int64_t first, std::int64_t last, std::string what);
  bool MeetCheckpoints(const Row& row);

  std::multimap<std::int64_t, Checkpoint> checkpoints_;
  Head previous_;
  std::int64_t last_met_ = 0;  // The last row that a checkpoint confirmed.
  std::int64_t checkpoints_met_ = 0;
  std::optional<Fault> fault_;
};

}  // namespace postern::audit
