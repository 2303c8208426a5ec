#include "services/common/app/process.h"

#include "absl/synchronization/mutex.h"
#include "services/common/app/signals.h"

namespace postern::app {

void PrepareProcess() {
  BlockSignals();
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace postern::app
