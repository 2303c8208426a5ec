#include "services/common/redis/safety.h"

#include <chrono>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"

namespace postern::redis {
namespace {

constexpr std::chrono::milliseconds kCheckTimeout{2000};

using Values = std::map<std::string, std::string, std::less<>>;

// `name:value` lines of INFO.
void AddInfo(std::string_view info, Values& values) {
  while (!info.empty()) {
    const std::size_t end = info.find("\r\n");
    const std::string_view line = info.substr(0, end);
    info = end == info.npos ? std::string_view() : info.substr(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    values.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
}

// Names and values in turn, as CONFIG GET answers.
void AddConfig(const redisReply& reply, Values& values) {
  for (std::size_t i = 0; i + 1 < reply.elements; i += 2) {
    const redisReply& name = *reply.element[i];
    const redisReply& value = *reply.element[i + 1];
    if (name.str == nullptr || value.str == nullptr) continue;
    values.emplace(std::string(name.str, name.len), std::string(value.str, value.len));
  }
}

struct Rule {
  std::string_view name;  // As INFO or CONFIG GET calls it.
  std::string_view safe;  // The only value that loses nothing.
  std::string_view fix;
};

constexpr Rule kRules[] = {
    {"aof_enabled", "1", "set appendonly to yes"},
    {"aof_last_write_status", "ok", "look at the disk of the append-only file"},
    {"maxmemory_policy", "noeviction", "set maxmemory-policy to noeviction"},
    {"appendfsync", "always", "set it to always"},
    {"no-appendfsync-on-rewrite", "no", "set it to no"},
};

constexpr std::size_t kSections = 2;  // Of INFO.
constexpr std::size_t kConfigs = 2;
// What an append-only file of the queue holds: the replies to ACL DRYRUN follow in this order.
constexpr std::string_view kReplayed[] = {"XADD", "XDEL", "XACK", "XCLAIM", "INCR", "SET"};

void AppendDryRun(std::string& wire, std::string_view command) {
  const std::string& key = StreamKey(0);
  if (command == "XADD") {
    AppendCommand(wire, "ACL", "DRYRUN", "default", command, key, "*", kEnvelopeField, "x");
  } else if (command == "XACK") {
    AppendCommand(wire, "ACL", "DRYRUN", "default", command, key, kConsumerGroup, "0-1");
  } else if (command == "XCLAIM") {
    AppendCommand(wire, "ACL", "DRYRUN", "default", command, key, kConsumerGroup, "x", "0", "0-1");
  } else if (command == "INCR") {
    AppendCommand(wire, "ACL", "DRYRUN", "default", command, key);
  } else {
    AppendCommand(wire, "ACL", "DRYRUN", "default", command, key, "0-1");
  }
}

constexpr std::string_view kDefaultUserFix =
    "write `user default off ~* &* +@all` (login stays impossible) into its ACL file";

void JudgeValues(const Values& values, Faults& faults) {
  for (const Rule& rule : kRules) {
    const auto found = values.find(rule.name);
    if (found == values.end()) {
      faults.push_back(
          StrCat(rule.name, " cannot be read: give this account +info and +config|get"));
    } else if (found->second != rule.safe) {
      faults.push_back(StrCat(rule.name, " is ", found->second, ": ", rule.fix));
    }
  }
}

// The first right that the user `default` lacks stands for all.
void JudgeDefaultUser(std::span<const Reply> dry_runs, Faults& faults) {
  for (const Reply& reply : dry_runs) {
    if (reply.IsError()) {
      faults.push_back(StrCat("the rights of the user default cannot be read (", reply.text(),
                              "): give this account +acl|dryrun"));
      return;
    }
    if (reply.text() == "OK") continue;
    faults.push_back(
        StrCat("the user default is restricted (", reply.text(),
               "), and Redis drops transactions when it loads its data: ", kDefaultUserFix));
    return;
  }
}

}  // namespace

std::size_t AppendSafetyCommands(std::string& wire) {
  AppendCommand(wire, "INFO", "persistence");
  AppendCommand(wire, "INFO", "memory");
  AppendCommand(wire, "CONFIG", "GET", "appendfsync");
  AppendCommand(wire, "CONFIG", "GET", "no-appendfsync-on-rewrite");
  for (const std::string_view command : kReplayed) AppendDryRun(wire, command);
  return kSections + kConfigs + std::size(kReplayed);
}

absl::StatusOr<Faults> JudgeSafety(std::span<const Reply> replies) {
  if (replies.size() != kSections + kConfigs + std::size(kReplayed)) {
    return absl::InternalError("the safety check has other replies than commands");
  }
  for (const Reply& reply : replies) {
    const absl::Status status = reply.ToStatus();
    if (absl::IsUnavailable(status)) return status;  // It will tell later.
  }
  Values values;
  for (const Reply& section : replies.first(kSections)) {
    if (!section.IsError()) AddInfo(section.text(), values);
  }
  // What it says of its append-only file meanwhile is not true.
  if (const auto loading = values.find("loading");
      loading != values.end() && loading->second != "0") {
    return absl::UnavailableError("Redis is loading its data");
  }
  for (const Reply& config : replies.subspan(kSections, kConfigs)) {
    if (config.IsArray()) AddConfig(config.raw(), values);
  }
  Faults faults;
  JudgeValues(values, faults);
  JudgeDefaultUser(replies.subspan(kSections + kConfigs), faults);
  return faults;
}

boost::asio::awaitable<absl::StatusOr<Faults>> UnsafeSettings(Connection& connection) {
  std::string wire;
  const std::size_t replies = AppendSafetyCommands(wire);
  auto answers = co_await connection.Exchange(std::move(wire), replies, kCheckTimeout);
  if (!answers.ok()) co_return answers.status();
  co_return JudgeSafety(*answers);
}

}  // namespace postern::redis
