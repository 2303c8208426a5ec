#include "services/common/audit/chain_check.h"

#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::audit {
namespace {

std::string Said(const Checkpoint& checkpoint) {
  return StrCat("the checkpoint that ", checkpoint.server, " signed at ",
                FormatRfc3339(checkpoint.at_us));
}

}  // namespace

ChainCheck::ChainCheck(std::vector<Checkpoint> checkpoints) {
  previous_.hash = FirstHash();
  for (Checkpoint& checkpoint : checkpoints) {
    const std::int64_t sequence = checkpoint.sequence;
    checkpoints_.emplace(sequence, std::move(checkpoint));
  }
}

bool ChainCheck::Fail(std::int64_t first, std::int64_t last, std::string what) {
  fault_ = Fault{first, last, std::move(what)};
  return false;
}

bool ChainCheck::Feed(const Row& row) {
  if (fault_) return false;
  const std::int64_t expected = previous_.sequence + 1;
  if (row.sequence != expected) {
    return Fail(expected, row.sequence - 1,
                StrCat("deleted: row ", row.sequence, " follows row ", previous_.sequence));
  }
  if (row.hash != HashOfRow(previous_.hash, row)) {
    return Fail(expected, expected,
                "altered or moved: its hash does not fit its content and the row before");
  }
  previous_.sequence = row.sequence;
  previous_.hash = row.hash;
  return MeetCheckpoints(row);
}

bool ChainCheck::MeetCheckpoints(const Row& row) {
  const auto [begin, end] = checkpoints_.equal_range(row.sequence);
  for (auto met = begin; met != end; ++met) {
    if (met->second.hash != row.hash) {
      return Fail(last_met_ + 1, row.sequence,
                  StrCat("rewritten, hashes and all: ", Said(met->second), " knows row ",
                         row.sequence, " with another hash"));
    }
    last_met_ = row.sequence;
    ++checkpoints_met_;
  }
  return true;
}

bool ChainCheck::End(const Head& head) {
  if (fault_) return false;
  if (!checkpoints_.empty() && checkpoints_.rbegin()->first > previous_.sequence) {
    const Checkpoint& last = checkpoints_.rbegin()->second;
    return Fail(previous_.sequence + 1, last.sequence,
                StrCat("cut off: ", Said(last), " knows rows up to ", last.sequence));
  }
  if (head.sequence > previous_.sequence) {
    return Fail(previous_.sequence + 1, head.sequence,
                StrCat("cut off: the head of the log is row ", head.sequence));
  }
  if (head.sequence < previous_.sequence) {
    return Fail(head.sequence + 1, previous_.sequence,
                StrCat("added beside the log: its head is row ", head.sequence));
  }
  if (head.hash != previous_.hash) {
    return Fail(last_met_ + 1, previous_.sequence, "rewritten: the head has another hash");
  }
  return true;
}

}  // namespace postern::audit
