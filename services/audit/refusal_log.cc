#include "services/audit/refusal_log.h"

#include <cstdlib>

#include "services/common/base/strings.h"

namespace postern::audit {
namespace {

constexpr std::size_t kKindsMax = 256;
// They come from the peer; the columns hold more.
constexpr std::size_t kPeerMax = 100;
constexpr std::size_t kMethodMax = 200;
constexpr char kOther[] = "other";
constexpr char kMethodPrefix[] = "method";
constexpr char kCount[] = "count";

}  // namespace

void RefusalLog::Note(std::string_view peer, std::string_view method) {
  Key key(peer.empty() ? "unknown" : peer.substr(0, kPeerMax), method.substr(0, kMethodMax));
  const std::lock_guard lock(mutex_);
  Add(std::move(key), 1);
}

void RefusalLog::Add(Key key, std::int64_t count) {
  if (counts_.size() >= kKindsMax && !counts_.contains(key)) key = {kOther, kOther};
  counts_[std::move(key)] += count;
}

std::vector<Act> RefusalLog::Take() {
  const auto counts = [this] {
    const std::lock_guard lock(mutex_);
    return std::exchange(counts_, {});
  }();
  std::vector<Act> acts;
  for (const auto& [key, count] : counts) {
    Act& act = acts.emplace_back();
    act.actor = key.first;
    act.action = "rpc.call";
    act.target = StrCat(kMethodPrefix, key.second);
    act.outcome = Outcome::kRefused;
    act.details = {{kCount, StrCat(count)}};
  }
  return acts;
}

void RefusalLog::PutBack(const std::vector<Act>& acts) {
  const std::lock_guard lock(mutex_);
  for (const Act& act : acts) {
    Add({act.actor, act.target.substr(sizeof kMethodPrefix - 1)},
        std::atoll(act.details.at(kCount).c_str()));
  }
}

}  // namespace postern::audit
