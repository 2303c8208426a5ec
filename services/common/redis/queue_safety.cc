#include "services/common/redis/queue_safety.h"

#include "absl/strings/str_join.h"
#include "services/common/log/log.h"

namespace postern::redis {

QueueSafety::QueueSafety(metrics::Registry& metrics, bool allow_unsafe)
    : allow_unsafe_(allow_unsafe),
      unsafe_(metrics.Gauge("postern_queue_unsafe",
                            "1 while the settings of Redis can lose acknowledged messages.")) {}

void QueueSafety::Set(const Faults& faults) {
  const std::string joined = absl::StrJoin(faults, "; ");
  const std::lock_guard lock(mutex_);
  if (known_ && joined == faults_) return;
  known_ = true;
  faults_ = joined;
  safe_ = faults.empty() || allow_unsafe_;
  unsafe_.Set(faults.empty() ? 0 : 1);
  if (faults.empty()) {
    log::Info("queue_settings_safe");
  } else {
    log::Error("queue_settings_unsafe", "faults", joined, "allowed", allow_unsafe_ ? "yes" : "no");
  }
}

std::string QueueSafety::faults() const {
  const std::lock_guard lock(mutex_);
  return known_ ? faults_ : "the settings of Redis have not been read yet";
}

}  // namespace postern::redis
