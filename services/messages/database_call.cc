#include "services/messages/database_call.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/messages/call_guard.h"

namespace postern::messages {

void RunOnDatabase(db::Executor& database, grpc::CallbackServerContext* context,
                   grpc::ServerUnaryReactor* reactor,
                   std::function<absl::Status(db::Connection&)> work) {
  const Deadline deadline = rpc::CallDeadline(*context, kCallTimeoutMax);
  auto run = [context, reactor, deadline,
              work = std::move(work)](absl::StatusOr<db::Connection*> connection) {
    absl::Status status = connection.status();
    if (status.ok() && context->IsCancelled()) status = absl::CancelledError("nobody waits");
    if (status.ok()) {
      const auto remaining =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline.Remaining());
      status =
          (*connection)->SetStatementTimeout(std::max(remaining, std::chrono::milliseconds(1)));
    }
    if (status.ok()) status = work(**connection);
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!database.TrySubmit(deadline, std::move(run))) reactor->Finish(TooMuchInHand());
}

}  // namespace postern::messages
