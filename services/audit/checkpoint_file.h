#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/audit/checkpoint.h"

namespace postern::audit {

// A server's folder of checkpoints: `checkpoint.key` (made at the first start, mode 0600),
// `checkpoint.pub`, which verifiers need, and `checkpoints.jsonl`, which only grows. Copy the last
// two to another machine: who can change the table must not be able to change them. Not
// thread-safe.
class CheckpointFile {
 public:
  // Makes what is not there. A line that a kill cut off is taken away. InvalidArgument for a file
  // that holds something else; else the errors of the file system, each with its path.
  static absl::StatusOr<CheckpointFile> Open(const std::string& folder);

  // The last line's, as written by this server before; nothing in a new file.
  const std::optional<Checkpoint>& last() const { return last_; }
  // Adds one and flushes it to the disk.
  absl::Status Add(const Checkpoint& checkpoint);

 private:
  CheckpointFile(std::string path, CheckpointSigner signer, std::optional<Checkpoint> last);

  std::string path_;
  CheckpointSigner signer_;
  std::optional<Checkpoint> last_;
};

}  // namespace postern::audit
