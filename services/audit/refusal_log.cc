#include "services/audit/refusal_log.h"

#include <cstdlib>
#include <utility>

#include "services/common/base/strings.h"

namespace postern::audit {
namespace {

constexpr std::size_t kKindsMax = 256;
// They come from the peer; the columns hold more.
constexpr std::size_t kPeerMax = 100;
constexpr std::size_t kMethodMax = 200;
constexpr char kCall[] = "rpc.call";
constexpr char kMethodPrefix[] = "method";
constexpr char kOther[] = "other";
constexpr char kCount[] = "count";

}  // namespace

void RefusalLog::Note(std::string_view peer, std::string_view method) {
  Kind kind(peer.empty() ? "unknown" : peer.substr(0, kPeerMax), kCall,
            StrCat(kMethodPrefix, method.substr(0, kMethodMax)), Details());
  const std::lock_guard lock(mutex_);
  Add(std::move(kind), 1);
}

void RefusalLog::Note(const Act& act) {
  Kind kind(act.actor, act.action, act.target, act.details);
  const std::lock_guard lock(mutex_);
  Add(std::move(kind), 1);
}

void RefusalLog::Add(Kind kind, std::int64_t count) {
  if (counts_.size() >= kKindsMax && !counts_.contains(kind)) {
    kind = {kOther, kCall, StrCat(kMethodPrefix, kOther), Details()};
  }
  counts_[std::move(kind)] += count;
}

std::vector<Act> RefusalLog::Take() {
  const auto counts = [this] {
    const std::lock_guard lock(mutex_);
    return std::exchange(counts_, {});
  }();
  std::vector<Act> acts;
  for (const auto& [kind, count] : counts) {
    Act& act = acts.emplace_back();
    std::tie(act.actor, act.action, act.target, act.details) = kind;
    act.outcome = Outcome::kRefused;
    act.details[kCount] = StrCat(count);
  }
  return acts;
}

void RefusalLog::PutBack(const std::vector<Act>& acts) {
  const std::lock_guard lock(mutex_);
  for (const Act& act : acts) {
    Details details = act.details;
    const std::int64_t count = std::atoll(details.at(kCount).c_str());
    details.erase(kCount);
    Add({act.actor, act.action, act.target, std::move(details)}, count);
  }
}

}  // namespace postern::audit
