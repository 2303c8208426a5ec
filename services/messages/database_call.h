#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "absl/status/status.h"
#include "services/common/db/executor.h"

namespace postern::messages {

// Runs `work` on one of the executor's threads, its statements limited by the call's deadline, and
// finishes the call with what it says. RESOURCE_EXHAUSTED at once when too much waits already.
// `work` is not run when nobody waits any more.
void RunOnDatabase(db::Executor& database, grpc::CallbackServerContext* context,
                   grpc::ServerUnaryReactor* reactor,
                   std::function<absl::Status(db::Connection&)> work);

}  // namespace postern::messages
