#include "services/common/redis/transaction.h"

#include "absl/status/status.h"
#include "services/common/redis/command.h"

namespace postern::redis {

void BeginTransaction(std::string& wire) { AppendCommand(wire, "MULTI"); }
void EndTransaction(std::string& wire) { AppendCommand(wire, "EXEC"); }

absl::StatusOr<std::vector<Reply>> CommandReplies(const std::vector<Reply>& exchange) {
  if (exchange.size() < kTransactionReplies) {
    return absl::InternalError("the exchange holds no transaction");
  }
  const Reply& result = exchange.back();
  if (result.IsArray()) {
    std::vector<Reply> replies = result.Elements();
    if (replies.size() == exchange.size() - kTransactionReplies) return replies;
    return absl::InternalError("the transaction has other replies than commands");
  }
  // EXEC only says that something was wrong before it.
  for (const Reply& reply : exchange) {
    if (reply.IsError()) return reply.ToStatus();
  }
  return absl::InternalError("the transaction has no replies");
}

}  // namespace postern::redis
