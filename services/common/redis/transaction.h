#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/redis/reply.h"

namespace postern::redis {

// A transaction: Redis takes in the commands between the two, and executes all of them or none at
// the end. A pipeline that is longer than one read of Redis (16 KiB) is otherwise executed in
// pieces, each with an fsync of its own.
void BeginTransaction(std::string& wire);
void EndTransaction(std::string& wire);
// Replies of an exchange that are the transaction's own.
inline constexpr std::size_t kTransactionReplies = 2;

// The replies to a transaction's commands, out of those of its exchange. When Redis refused it as a
// whole, the first error (see Reply::ToStatus): nothing was executed then, unless that error is the
// first reply: without MULTI each command is executed by itself.
absl::StatusOr<std::vector<Reply>> CommandReplies(const std::vector<Reply>& exchange);

}  // namespace postern::redis
