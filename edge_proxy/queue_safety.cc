#include "edge_proxy/queue_safety.h"

#include "absl/strings/str_join.h"
#include "services/common/log/log.h"

namespace postern::edge {

void QueueSafety::Set(const std::vector<std::string>& faults) {
  const std::string joined = absl::StrJoin(faults, "; ");
  const std::lock_guard lock(mutex_);
  if (known_ && joined == faults_) return;
  known_ = true;
  faults_ = joined;
  safe_ = faults.empty() || allow_unsafe_;
  if (faults.empty()) {
    log::Info("queue_settings_safe");
  } else {
    log::Error("queue_settings_unsafe", "faults", joined, "accepting",
               allow_unsafe_ ? "yes" : "no");
  }
}

std::string QueueSafety::faults() const {
  const std::lock_guard lock(mutex_);
  return known_ ? faults_ : "the settings of Redis have not been read yet";
}

}  // namespace postern::edge
