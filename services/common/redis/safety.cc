#include "services/common/redis/safety.h"

#include <chrono>
#include <map>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/redis/command.h"

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

std::vector<std::string> Judge(const Values& values) {
  std::vector<std::string> faults;
  for (const Rule& rule : kRules) {
    const auto found = values.find(rule.name);
    // What the user may not read is not judged.
    if (found == values.end() || found->second == rule.safe) continue;
    faults.push_back(StrCat(rule.name, " is ", found->second, ": ", rule.fix));
  }
  return faults;
}

}  // namespace

boost::asio::awaitable<absl::StatusOr<std::vector<std::string>>> UnsafeSettings(
    Connection& connection) {
  std::string wire;
  AppendCommand(wire, "INFO", "persistence");
  AppendCommand(wire, "INFO", "memory");
  AppendCommand(wire, "CONFIG", "GET", "appendfsync");
  AppendCommand(wire, "CONFIG", "GET", "no-appendfsync-on-rewrite");
  auto replies = co_await connection.Exchange(std::move(wire), 4, kCheckTimeout);
  if (!replies.ok()) co_return replies.status();
  Values values;
  for (std::size_t i = 0; i < 2; ++i) {
    if ((*replies)[i].IsError()) co_return (*replies)[i].ToStatus();
    AddInfo((*replies)[i].text(), values);
  }
  if (!values.contains("aof_enabled") || !values.contains("maxmemory_policy")) {
    co_return absl::InternalError("INFO does not show aof_enabled and maxmemory_policy");
  }
  for (std::size_t i = 2; i < 4; ++i) {
    if ((*replies)[i].IsArray()) AddConfig((*replies)[i].raw(), values);
  }
  co_return Judge(values);
}

}  // namespace postern::redis
