#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "services/common/db/connection.h"

// The audit log as every domain may append to it. What else it does (reading, checkpoints,
// refusals) is services/audit.
namespace postern::audit {

// How an act ended. The numbers are part of each row's hash: never change one.
enum class Outcome : std::uint8_t { kDone = 1, kRefused = 2 };

// A security-relevant act. Never holds a secret, a message or a whole phone number: rows stay for
// ever.
struct Act {
  std::string actor;   // rpc::PeerName of the caller, or `server/<name>` for what a server does of
                       // itself; at most 128 characters.
  std::string action;  // `<noun>.<verb>`, such as `client.create`; at most 64 characters.
  std::string target;  // `<noun>/<id>`, such as `client/acme`; at most 256 characters.
  Outcome outcome = Outcome::kDone;
  std::map<std::string, std::string> details;  // As JSON at most 4096 characters.
};

// Adds the act to the log inside the transaction that `connection` has open, so that the act and
// its row become visible together or not at all. Make it the last statement before Commit: it
// locks the head of the log until then, and whoever locks the head last cannot deadlock with
// another who does. Characters that are not printable ASCII become `?` in actor, action and target.
// InvalidArgument names a field that is too long; else the errors of db::Connection (Aborted: roll
// back and try the whole transaction again).
absl::Status Append(db::Connection& connection, const Act& act);

// Append in a transaction of its own, for acts that change no table. Tries again when it meets a
// deadlock.
absl::Status AppendAlone(db::Connection& connection, const Act& act);

}  // namespace postern::audit
