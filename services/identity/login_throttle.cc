#include "services/identity/login_throttle.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"
#include "services/common/db/transaction.h"
#include "services/identity/limits.h"

namespace postern::identity {
namespace {

constexpr char kTouch[] =
    "INSERT INTO login_throttle (key_sha256, failures, last_at_us, next_at_us) VALUES (?, 0, ?, 0)"
    " ON DUPLICATE KEY UPDATE key_sha256 = VALUES(key_sha256)";
constexpr char kRead[] =
    "SELECT failures, last_at_us, next_at_us FROM login_throttle WHERE key_sha256 = ? FOR UPDATE";
constexpr char kWrite[] =
    "UPDATE login_throttle SET failures = ?, last_at_us = ?, next_at_us = ? WHERE key_sha256 = ?";
constexpr char kForget[] = "DELETE FROM login_throttle WHERE key_sha256 = ?";
constexpr char kTakeBack[] =
    "UPDATE login_throttle SET failures = GREATEST(failures - 1, 0), next_at_us = 0"
    " WHERE key_sha256 = ?";

constexpr std::chrono::minutes kMemory{15};
constexpr std::int64_t kWaitMaxSeconds = 60;
// Failures that cost nothing.
constexpr std::int64_t kFreeOfBoth = 5;
constexpr std::int64_t kFreeOfAccount = 20;
constexpr std::int64_t kFreeOfAddress = 50;
constexpr std::int64_t kMicros = 1'000'000;

struct Count {
  std::int64_t failures = 0;
  std::int64_t last_at_us = 0;
  std::int64_t next_at_us = 0;
};

std::string KeyOfBoth(const LoginThrottle::Attempt& attempt) {
  return crypto::Sha256(StrCat("both\n", attempt.email, "\n", attempt.address));
}
std::string KeyOfAccount(const LoginThrottle::Attempt& attempt) {
  return crypto::Sha256(StrCat("account\n", attempt.email));
}
std::string KeyOfAddress(const LoginThrottle::Attempt& attempt) {
  return crypto::Sha256(StrCat("address\n", attempt.address));
}

// What counts for the attempt: key to free failures, in an order that every transaction keeps.
std::map<std::string, std::int64_t> CountsOf(const LoginThrottle::Attempt& attempt) {
  std::map<std::string, std::int64_t> counts;
  counts[KeyOfBoth(attempt)] = kFreeOfBoth;
  if (!attempt.known_address) counts[KeyOfAccount(attempt)] = kFreeOfAccount;
  if (!attempt.address.empty()) counts[KeyOfAddress(attempt)] = kFreeOfAddress;
  return counts;
}

std::int64_t WaitSeconds(std::int64_t failures, std::int64_t free) {
  if (failures <= free) return 0;
  const std::int64_t doublings = std::min<std::int64_t>(failures - free - 1, 6);
  return std::min(std::int64_t{1} << doublings, kWaitMaxSeconds);
}

absl::StatusOr<Count> Lock(db::Connection& connection, std::string_view key, std::int64_t now_us) {
  if (auto touched = connection.Execute(kTouch, {key, now_us}); !touched.ok()) {
    return touched.status();
  }
  Count count;
  const absl::Status status = connection.Query(kRead, {key}, [&count](const db::Row& row) {
    count = {row.Int(0), row.Int(1), row.Int(2)};
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (now_us - count.last_at_us > Micros(kMemory)) count = {};
  return count;
}

absl::StatusOr<std::int64_t> CountAll(db::Connection& connection,
                                      const std::map<std::string, std::int64_t>& keys,
                                      std::int64_t now_us) {
  std::map<std::string, Count> counts;
  std::int64_t next_at_us = 0;
  for (const auto& [key, free] : keys) {
    const absl::StatusOr<Count> count = Lock(connection, key, now_us);
    if (!count.ok()) return count.status();
    counts[key] = *count;
    next_at_us = std::max(next_at_us, count->next_at_us);
  }
  if (next_at_us > now_us) return (next_at_us - now_us + kMicros - 1) / kMicros;
  for (const auto& [key, free] : keys) {
    const std::int64_t failures = counts[key].failures + 1;
    const std::int64_t wait_us = WaitSeconds(failures, free) * kMicros;
    const auto written = connection.Execute(
        kWrite, {failures, now_us, wait_us == 0 ? 0 : now_us + wait_us, std::string_view(key)});
    if (!written.ok()) return written.status();
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::int64_t> LoginThrottle::Begin(db::Connection& connection,
                                                  const Attempt& attempt, std::int64_t now_us) {
  const std::map<std::string, std::int64_t> keys = CountsOf(attempt);
  return db::InTransaction(connection, [&] { return CountAll(connection, keys, now_us); });
}

absl::Status LoginThrottle::Succeeded(db::Connection& connection, const Attempt& attempt) {
  const std::string both = KeyOfBoth(attempt);
  for (const auto& [key, free] : CountsOf(attempt)) {
    const auto done = key == both ? connection.Execute(kForget, {std::string_view(key)})
                                  : connection.Execute(kTakeBack, {std::string_view(key)});
    if (!done.ok()) return done.status();
  }
  return absl::OkStatus();
}

}  // namespace postern::identity
