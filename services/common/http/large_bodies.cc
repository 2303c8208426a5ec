#include "services/common/http/large_bodies.h"

namespace postern::http {
namespace {

constexpr Refusal kOfPeer{429, "large_bodies_of_peer",
                          "This client has too many large requests in hand."};
constexpr Refusal kOfAll{503, "large_bodies", "There are too many large requests in hand."};

}  // namespace

const Refusal* LargeBodies::Take(const std::string& peer, std::unique_ptr<Permit>& permit) {
  const auto found = by_peer_.find(peer);
  if (found != by_peer_.end() && found->second >= limits_.of_one_peer) return &kOfPeer;
  if (in_hand_ >= limits_.at_one_time) return &kOfAll;
  const auto place = by_peer_.try_emplace(peer, 0).first;
  ++place->second;
  ++in_hand_;
  permit = std::make_unique<Permit>(*this, place);
  return nullptr;
}

void LargeBodies::Release(std::map<std::string, std::size_t>::iterator peer) {
  --in_hand_;
  if (--peer->second == 0) by_peer_.erase(peer);
}

}  // namespace postern::http
